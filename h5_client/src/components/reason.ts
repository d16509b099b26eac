import { i18n } from '@/i18n'

/** The server's reason in the person's language where we know it, in the server's words where not. */
export function reasonText(reason: string | null | undefined): string {
  if (!reason) return ''
  const { t, te } = i18n.global
  const key = `reason.${reason}`
  return /^[a-z_]+$/.test(reason) && te(key) ? t(key) : reason
}
