import type { TypedData } from '@/api/types'
import { plain } from '@/money/format'
import { fromUnits } from '@/money/decimal'
import { STRUCTS } from './structs'
import type { Terms } from './terms'

/**
 * What this device agrees to sign. Every request is compared with the deal that is on the screen and
 * rebuilt from the types of `STRUCTS`, so a server (or somebody in its place) cannot have anything else
 * signed.
 */
type Signed = Exclude<keyof typeof STRUCTS, 'Terms'>

const WALLET_BINDING = ['userId', 'address', 'issuedAt']

/** The request is not what the deal says. Nothing is signed. */
export class TypedDataMismatch extends Error {
  constructor(
    readonly field: string,
    readonly expected: string,
    readonly found: string,
  ) {
    super(`${field}: expected ${expected}, found ${found}`)
  }
}

/** Where the escrow lives: from the portal's configuration, not from the request. */
export interface EscrowSite {
  chainId: number
  escrow: string
}

/** A sentence to show (a message key with its values) and the raw facts behind it. */
export interface SigningWords {
  sentence: { key: string; values: Record<string, string> }
  facts: { label: string; value: string }[]
}

/** A checked request: what to sign, and how to say it. */
export interface Checked {
  typedData: TypedData
  words: SigningWords
}

export interface Coins {
  asset: string
  places: number
}

export function checkAuthority(
  request: TypedData,
  site: EscrowSite,
  deal: { owner: string; token: string; mostTotal: bigint; maxFeeBps: number; now: number } & Coins,
): Checked {
  const message = checkedStruct(request, 'OrderAuthority', site)
  sameAddress('owner', deal.owner, message)
  sameAddress('token', deal.token, message)
  atMost('maxTotal', deal.mostTotal, message)
  atMost('maxPerTrade', whole(message, 'maxTotal'), message)
  atMost('maxFeeBps', BigInt(deal.maxFeeBps), message)
  atMost('maxArbiterFeeBps', 0n, message)
  after('deadline', deal.now, message)
  const most = amount(whole(message, 'maxTotal'), deal)
  return checked(request, 'OrderAuthority', {
    sentence: { key: 'sign.authority', values: { most, until: until(message), ...shares(message) } },
    facts: facts(message, site),
  })
}

/** A trade whose terms have been checked, and what its two sides are called. */
export interface Signing extends Coins {
  terms: Terms
  buyer: string
  seller: string
  now: number
}

export function checkSettle(request: TypedData, site: EscrowSite, deal: Signing & { toBuyer: bigint }): Checked {
  const message = checkedStruct(request, 'Settle', site)
  sameTerms(deal.terms, message.terms)
  const total = BigInt(deal.terms.amount)
  const toBuyer = whole(message, 'toBuyer')
  if (toBuyer !== deal.toBuyer) {
    throw new TypedDataMismatch('toBuyer', amount(deal.toBuyer, deal), amount(toBuyer, deal))
  }
  atMost('toBuyer', total, message)
  if (message.payArbiter !== false) throw new TypedDataMismatch('payArbiter', 'false', String(message.payArbiter))
  after('deadline', deal.now, message)
  const values = {
    toBuyer: amount(toBuyer, deal),
    toSeller: amount(total - toBuyer, deal),
    buyer: deal.buyer,
    seller: deal.seller,
    until: moment(message.deadline),
  }
  const key = toBuyer === total ? 'sign.settleAll' : toBuyer === 0n ? 'sign.settleNone' : 'sign.settleSplit'
  return checked(request, 'Settle', { sentence: { key, values }, facts: facts(message, site) })
}

export function checkMarkPaid(request: TypedData, site: EscrowSite, deal: Signing): Checked {
  return checkTradeAct(request, 'MarkPaid', 'sign.markPaid', site, deal)
}

export function checkCancel(request: TypedData, site: EscrowSite, deal: Signing): Checked {
  return checkTradeAct(request, 'Cancel', 'sign.cancel', site, deal)
}

export function checkWalletBinding(
  request: TypedData,
  deal: { userId: number; address: string; site: EscrowSite | null },
): Checked {
  const types = request.types.WalletBinding ?? []
  const names = types.map(({ name }) => name).join()
  same('primaryType', 'WalletBinding', request.primaryType)
  same('types', WALLET_BINDING.join(), names)
  same('userId', String(deal.userId), String(request.message.userId))
  sameAddress('address', deal.address, request.message)
  const { chainId, verifyingContract } = request.domain
  if (deal.site) {
    same('chainId', String(deal.site.chainId), String(chainId))
    sameAddress('verifyingContract', deal.site.escrow, request.domain)
  }
  const typedData = {
    domain: request.domain,
    types: { EIP712Domain: domainTypes(request.domain), WalletBinding: types },
    primaryType: 'WalletBinding',
    message: request.message,
  }
  const site = { chainId: Number(chainId ?? 0), escrow: String(verifyingContract ?? '') }
  return {
    typedData,
    words: { sentence: { key: 'sign.binding', values: {} }, facts: facts(request.message, site) },
  }
}

function checkTradeAct(
  request: TypedData,
  struct: 'MarkPaid' | 'Cancel',
  key: string,
  site: EscrowSite,
  deal: Signing,
): Checked {
  const message = checkedStruct(request, struct, site)
  sameTerms(deal.terms, message.terms)
  const values = {
    amount: amount(BigInt(deal.terms.amount), deal),
    seller: deal.seller,
    buyer: deal.buyer,
    until: moment(deal.terms.payBy),
    sunset: moment(deal.terms.sunset),
    bps: String(deal.terms.sunsetBuyerBps),
  }
  return checked(request, struct, { sentence: { key, values }, facts: facts(message, site) })
}

function checkedStruct(request: TypedData, struct: Signed, site: EscrowSite): TypedData['message'] {
  same('primaryType', struct, request.primaryType)
  same('domain.name', 'OTC Portal Escrow', String(request.domain.name))
  same('domain.version', '1', String(request.domain.version))
  same('chainId', String(site.chainId), String(request.domain.chainId))
  sameAddress('verifyingContract', site.escrow, request.domain)
  for (const one of [struct, ...nested(struct)]) {
    const expected = STRUCTS[one].map(([name, type]) => `${type} ${name}`).join()
    same('types', expected, (request.types[one] ?? []).map(({ name, type }) => `${type} ${name}`).join())
  }
  same('fields', fieldNames(struct), Object.keys(request.message).sort().join())
  return request.message
}

function checked(request: TypedData, struct: Signed, words: SigningWords): Checked {
  const { name, version, chainId, verifyingContract } = request.domain
  const domain = { name, version, chainId, verifyingContract }
  const described = [struct, ...nested(struct)].map((one) => [
    one,
    STRUCTS[one].map(([field, type]) => ({ name: field, type })),
  ])
  const types = { EIP712Domain: domainTypes(domain), ...Object.fromEntries(described) }
  return { typedData: { domain, types, primaryType: struct, message: request.message }, words }
}

const DOMAIN_TYPES: [string, string][] = [
  ['name', 'string'],
  ['version', 'string'],
  ['chainId', 'uint256'],
  ['verifyingContract', 'address'],
  ['salt', 'bytes32'],
]

function domainTypes(domain: TypedData['domain']): { name: string; type: string }[] {
  return DOMAIN_TYPES.filter(([name]) => domain[name] !== undefined).map(([name, type]) => ({ name, type }))
}

const nested = (struct: Signed): (keyof typeof STRUCTS)[] =>
  STRUCTS[struct].some(([, type]) => type === 'Terms') ? ['Terms'] : []

const fieldNames = (struct: keyof typeof STRUCTS) =>
  STRUCTS[struct]
    .map(([name]) => name)
    .sort()
    .join()

function same(field: string, expected: string, found: string): void {
  if (expected !== found) throw new TypedDataMismatch(field, expected, found)
}

function sameAddress(field: string, expected: string, message: Record<string, unknown>): void {
  const found = String(message[field])
  if (found.toLowerCase() !== expected.toLowerCase()) throw new TypedDataMismatch(field, expected, found)
}

/** Field by field the terms that were checked: nothing else can be behind the signature. */
function sameTerms(expected: Terms, found: unknown): void {
  if (typeof found !== 'object' || found === null) throw new TypedDataMismatch('terms', 'salt, seller, …', String(found))
  same('terms', fieldNames('Terms'), Object.keys(found).sort().join())
  for (const [name] of STRUCTS.Terms) {
    const value = String((found as Record<string, unknown>)[name])
    same(`terms.${name}`, String(expected[name]).toLowerCase(), value.toLowerCase())
  }
}

function whole(message: Record<string, unknown>, field: string): bigint {
  const value = message[field]
  const exact = typeof value === 'string' ? /^\d+$/.test(value) : Number.isSafeInteger(value)
  if (!exact) throw new TypedDataMismatch(field, 'a whole number', String(value))
  return BigInt(value as string | number)
}

function atMost(field: string, limit: bigint, message: Record<string, unknown>): void {
  const found = whole(message, field)
  if (found > limit) throw new TypedDataMismatch(field, `≤ ${limit}`, String(found))
}

function after(field: string, nowMs: number, message: Record<string, unknown>): void {
  const found = whole(message, field)
  if (found * 1000n <= BigInt(Math.floor(nowMs))) throw new TypedDataMismatch(field, 'a time to come', String(found))
}

function amount(units: bigint, { asset, places }: Coins): string {
  return `${plain(fromUnits(units, places))} ${asset}`
}

/** The fee limit, and what becomes of a paid trade that nobody decides. */
function shares(message: Record<string, unknown>): Record<string, string> {
  return {
    bps: String(message.maxFeeBps),
    days: String(whole(message, 'sunsetWindow') / 86_400n),
    share: String(Number(whole(message, 'sunsetBuyerBps')) / 100),
  }
}

function until(message: Record<string, unknown>): string {
  return moment(message.deadline)
}

/** A Unix second as the time it is. */
function moment(second: unknown): string {
  return new Date(Number(second) * 1000).toISOString()
}

function facts(message: Record<string, unknown>, site: EscrowSite): SigningWords['facts'] {
  return [
    ...rows(message),
    ...(site.chainId ? [{ label: 'chainId', value: String(site.chainId) }] : []),
    ...(site.escrow ? [{ label: 'verifyingContract', value: site.escrow }] : []),
  ]
}

function rows(message: Record<string, unknown>): SigningWords['facts'] {
  return Object.entries(message).flatMap(([label, value]) =>
    typeof value === 'object' && value !== null
      ? rows(value as Record<string, unknown>)
      : [{ label, value: String(value) }],
  )
}
