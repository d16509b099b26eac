import type { PaymentAccount } from '@/api/types'
import { ibanGroups } from './iban'

/** The part of a payment account by which its owner knows it. */
export function accountText({ label, fields }: PaymentAccount): string {
  const main = fields.iban ? ibanGroups(fields.iban) : Object.values(fields)[0]
  const named = label && label.slice(0, 4) !== main?.slice(0, 4)
  return [named && label, main].filter(Boolean).join(' · ')
}
