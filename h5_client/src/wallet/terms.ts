import type { Role, Trade } from '@/api/types'
import { fromUnits } from '@/money/decimal'
import { plain } from '@/money/format'
import { STRUCTS } from './structs'
import { TypedDataMismatch, type Coins } from './typed-data'

/**
 * A signature is about the escrow's terms, whose hash is the trade's id on chain. A device that has
 * compared them with the deal on the screen knows what its signature is about.
 */
export type Terms = NonNullable<Trade['escrow']['terms']>

/** The deal as this person was shown it; amounts in units of the base coin. */
export interface Deal extends Coins {
  role: Role
  /** the address of this person's key */
  own: string
  token: string
  quantity: bigint
  /** what the seller locks */
  total: bigint
  /** this person's own part of the fee */
  fee: bigint
  /** the gross part of the escrow that the act gives the buyer, and what of it reaches them */
  toBuyer: bigint
  buyerGets: bigint
}

const NOBODY = `0x${'0'.repeat(40)}`

/** Throws a TypedDataMismatch naming the field of the terms that is not the deal. */
export function checkTerms(terms: Terms | null, deal: Deal): Terms {
  if (!terms) throw new TypedDataMismatch('terms', 'salt, seller, …', '—')
  for (const [name, kind] of STRUCTS.Terms) wellFormed(name, kind, terms[name])
  sameAddress(deal.role, deal.own, terms)
  sameAddress('token', deal.token, terms)
  differ('buyer', terms, terms.seller)
  differ('arbiter', terms, NOBODY, terms.seller, terms.buyer)
  differ('backupArbiter', terms, NOBODY, terms.seller, terms.buyer)
  differ('feeTo', terms, NOBODY)
  checkTimes(terms)
  sameAmount('amount', deal.total, BigInt(terms.amount), deal)
  checkFee(BigInt(terms.fee), deal)
  return terms
}

/**
 * The seller's fee is what they lock beyond the quantity. Both fees together are what the buyer gets
 * less than the escrow's part; the contract takes them from that part in proportion, rounded down.
 */
function checkFee(fee: bigint, deal: Deal): void {
  const sellerFee = deal.total - deal.quantity
  if (deal.role === 'buyer') sameAmount('fee', sellerFee + deal.fee, fee, deal)
  else sameAmount('fee', deal.fee, sellerFee, deal)
  const paidOut = deal.total === 0n ? 0n : deal.toBuyer - (fee * deal.toBuyer) / deal.total
  sameAmount('fee', deal.toBuyer - deal.buyerGets, deal.toBuyer - paidOut, deal)
}

/** First the payment, then the arbiter, then the backup, then the split that gives a buyer half or more. */
function checkTimes(terms: Terms): void {
  later('resolveBy', terms.payBy, terms)
  later('sunset', terms.resolveBy, terms)
  const share = Number(terms.sunsetBuyerBps)
  if (share < 5_000 || share > 10_000) {
    throw new TypedDataMismatch('terms.sunsetBuyerBps', '5000 … 10000', terms.sunsetBuyerBps)
  }
}

function later(name: 'resolveBy' | 'sunset', than: string, terms: Terms): void {
  if (BigInt(terms[name]) <= BigInt(than)) throw new TypedDataMismatch(`terms.${name}`, `> ${than}`, terms[name])
}

const FORMS = { bytes32: /^0x[0-9a-fA-F]{64}$/, address: /^0x[0-9a-fA-F]{40}$/ }

function wellFormed(name: string, kind: (typeof STRUCTS.Terms)[number][1], value: unknown): void {
  const text = String(value)
  const good =
    kind === 'bytes32' || kind === 'address'
      ? FORMS[kind].test(text)
      : /^\d{1,39}$/.test(text) && BigInt(text) < 1n << BigInt(kind.slice(4))
  if (!good) throw new TypedDataMismatch(`terms.${name}`, kind, text)
}

function sameAddress(name: 'seller' | 'buyer' | 'token', expected: string, terms: Terms): void {
  if (!same(expected, terms[name])) throw new TypedDataMismatch(`terms.${name}`, expected, terms[name])
}

function differ(name: 'buyer' | 'arbiter' | 'backupArbiter' | 'feeTo', terms: Terms, ...others: string[]): void {
  const other = others.find((one) => same(one, terms[name]))
  if (other) throw new TypedDataMismatch(`terms.${name}`, `≠ ${other}`, terms[name])
}

function sameAmount(name: string, expected: bigint, found: bigint, coins: Coins): void {
  if (expected !== found) throw new TypedDataMismatch(`terms.${name}`, amount(expected, coins), amount(found, coins))
}

const same = (one: string, other: string) => one.toLowerCase() === other.toLowerCase()
const amount = (units: bigint, { asset, places }: Coins) => `${plain(fromUnits(units, places))} ${asset}`
