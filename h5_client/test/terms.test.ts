import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Config, Me, SigningRequest, Trade, TypedData } from '@/api/types'
import { useConfig } from '@/stores/config'
import { useSession } from '@/stores/session'
import { checkedRequests, type SignedAct } from '@/views/trade/signing'
import { STRUCTS } from '@/wallet/structs'
import { checkTerms, type Deal, type Terms } from '@/wallet/terms'
import { tradeIdOf } from '@/wallet/trade-id'
import { TypedDataMismatch } from '@/wallet/typed-data'
import vectors from './trade-ids.json'

const api = vi.hoisted(() => ({ signing: vi.fn() }))
vi.mock('@/api/client', () => ({ api }))

const SITE = { chainId: 31337, escrow: '0x5FbDB2315678afecb367f032d93F642f64180aa3' }
const OTHER = `0x${'99'.repeat(20)}`
const NOBODY = `0x${'00'.repeat(20)}`
const { terms: TERMS, tradeId: ID } = vectors[0]! as { terms: Terms; tradeId: string }
const LIMIT = String(1n << 128n)

const fieldOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (error instanceof TypedDataMismatch) return error.field
    throw error
  }
  return 'nothing'
}

describe('the trade id', () => {
  it.each(vectors)('is the one that the portal computes: $tradeId', ({ terms, tradeId }) => {
    expect(tradeIdOf(terms)).toBe(tradeId)
  })
  it.each(STRUCTS.Terms.map(([name]) => name))('depends on %s', (name) => {
    const digits = TERMS[name].slice(0, -1) + (TERMS[name].endsWith('1') ? '2' : '1')
    expect(tradeIdOf({ ...TERMS, [name]: digits })).not.toBe(ID)
  })
  it('does not depend on how addresses are spelled', () => {
    expect(tradeIdOf({ ...TERMS, seller: TERMS.seller.toLowerCase() })).toBe(ID)
  })
})

// 100 USDT; the seller adds 0.1 and the buyer gives up 0.2.
const whole = 100_100_000n
const coins = { asset: 'USDT', places: 6, token: TERMS.token, quantity: 100_000_000n, total: whole, toBuyer: whole, buyerGets: 99_800_000n }
const asBuyer: Deal = { ...coins, role: 'buyer', own: TERMS.buyer, fee: 200_000n }
const asSeller: Deal = { ...coins, role: 'seller', own: TERMS.seller, fee: 100_000n }

describe('the terms of an escrow', () => {
  it.each([asBuyer, asSeller])('are accepted when they are the deal: $role', (deal) => {
    expect(checkTerms(TERMS, deal)).toBe(TERMS)
  })
  it('are accepted with a share, whose fee is rounded down', () => {
    const toBuyer = 33_333_333n
    const buyerGets = toBuyer - (300_000n * toBuyer) / whole
    for (const deal of [asBuyer, asSeller]) {
      expect(checkTerms(TERMS, { ...deal, toBuyer, buyerGets })).toBe(TERMS)
      expect(fieldOf(() => checkTerms(TERMS, { ...deal, toBuyer, buyerGets: buyerGets + 1n }))).toBe('terms.fee')
    }
  })
  it('are wanted', () => {
    expect(fieldOf(() => checkTerms(null, asBuyer))).toBe('terms')
  })
  it('name this person’s key where it belongs', () => {
    expect(fieldOf(() => checkTerms({ ...TERMS, buyer: OTHER }, asBuyer))).toBe('terms.buyer')
    expect(fieldOf(() => checkTerms({ ...TERMS, seller: OTHER }, asSeller))).toBe('terms.seller')
  })
  it.each([
    ['token', { token: OTHER }],
    ['amount', { amount: '100100001' }],
    ['amount', { amount: LIMIT }],
    ['amount', { amount: '1e8' }],
    ['fee', { fee: '300001' }],
    ['fee', { fee: '-1' }],
    ['arbiter', { arbiter: NOBODY }],
    ['arbiter', { arbiter: TERMS.seller }],
    ['arbiter', { arbiter: TERMS.buyer.toLowerCase() }],
    ['arbiter', { arbiter: '' }],
    ['backupArbiter', { backupArbiter: NOBODY }],
    ['backupArbiter', { backupArbiter: TERMS.seller }],
    ['backupArbiter', { backupArbiter: TERMS.buyer }],
    ['feeTo', { feeTo: NOBODY }],
    ['resolveBy', { resolveBy: TERMS.payBy }],
    ['sunset', { sunset: TERMS.resolveBy }],
    ['sunsetBuyerBps', { sunsetBuyerBps: '4999' }],
    ['sunsetBuyerBps', { sunsetBuyerBps: '10001' }],
    ['salt', { salt: '0x5a' }],
    ['payBy', { payBy: '1099511627776' }],
  ])('are refused when %s differs: %o', (field, change) => {
    for (const deal of [asBuyer, asSeller]) {
      expect(fieldOf(() => checkTerms({ ...TERMS, ...change }, deal))).toBe(`terms.${field}`)
    }
  })
  it('have one person on each side', () => {
    expect(fieldOf(() => checkTerms({ ...TERMS, seller: TERMS.buyer }, asBuyer))).toBe('terms.buyer')
  })
  it('take the fee that was shown', () => {
    expect(fieldOf(() => checkTerms(TERMS, { ...asBuyer, fee: 199_999n }))).toBe('terms.fee')
    expect(fieldOf(() => checkTerms(TERMS, { ...asSeller, fee: 99_999n }))).toBe('terms.fee')
    expect(fieldOf(() => checkTerms(TERMS, { ...asSeller, buyerGets: 99_799_999n }))).toBe('terms.fee')
  })
})

function typed(struct: 'Settle' | 'MarkPaid' | 'Cancel', message: Record<string, unknown>): TypedData {
  const domain = { name: 'OTC Portal Escrow', version: '1', chainId: SITE.chainId, verifyingContract: SITE.escrow }
  const types = Object.fromEntries(
    ([struct, 'Terms'] as const).map((one) => [one, STRUCTS[one].map(([name, type]) => ({ name, type }))]),
  )
  return { domain, types, primaryType: struct, message }
}
const settle = (toBuyer = '100100000', terms = TERMS): SigningRequest => ({
  kind: 'settle',
  typed_data: typed('Settle', { terms, toBuyer, payArbiter: false, deadline: '4000000000' }),
})
const markPaid = (terms = TERMS): SigningRequest => ({ kind: 'mark_paid', typed_data: typed('MarkPaid', { terms }) })
const cancel = (terms = TERMS): SigningRequest => ({ kind: 'cancel', typed_data: typed('Cancel', { terms }) })

function trade(change: object = {}): Trade {
  return {
    id: 7, role: 'buyer', state: 'awaiting_payment', base: 'USDT', quantity: '100.000000', fee: '0.200000',
    buyer_gets: '99.800000', seller_locks: '100.100000', counterparty: { nickname: 'alice' }, dispute: null,
    escrow: { backend: 'evm', status: 'open', escrow_id: ID, terms: TERMS, transactions: [] }, ...change,
  } as unknown as Trade
}
const escrow = (change: object) => ({ escrow: { ...trade().escrow, ...change } })

async function refused(about: Trade, act: SignedAct, ...requests: SigningRequest[]): Promise<string> {
  api.signing.mockResolvedValue({ typed_data: requests })
  const error: unknown = await checkedRequests(about, act).catch((reason: unknown) => reason)
  return error instanceof TypedDataMismatch ? error.field : 'nothing'
}

describe('what an act signs', () => {
  beforeEach(() => {
    setActivePinia(createPinia())
    const tokens = { USDT: TERMS.token }
    useConfig().config = { chain: { chain_id: SITE.chainId, escrow: SITE.escrow, tokens } } as unknown as Config
    useSession().user = { id: 1, nickname: 'bob', wallet: { address: TERMS.buyer, vault: null } } as unknown as Me
  })

  it('is about the escrow whose terms are the deal', async () => {
    api.signing.mockResolvedValue({ typed_data: [markPaid(), settle()] })
    expect(Object.keys(await checkedRequests(trade(), 'paid'))).toEqual(['mark_paid', 'settle'])
    api.signing.mockResolvedValue({ typed_data: [cancel()] })
    expect(Object.keys(await checkedRequests(trade(), 'cancel'))).toEqual(['cancel'])
  })
  it('is nothing when another escrow is named, here or there', async () => {
    const foreign = { ...TERMS, salt: vectors[1]!.terms.salt }
    expect(await refused(trade(), 'paid', markPaid(foreign), settle())).toBe('terms.salt')
    expect(await refused(trade(), 'paid', markPaid(), settle('100100000', foreign))).toBe('terms.salt')
    expect(await refused(trade(), 'cancel', cancel(foreign))).toBe('terms.salt')
    const both = trade(escrow({ escrow_id: tradeIdOf(foreign) }))
    expect(await refused(both, 'paid', markPaid(foreign), settle('100100000', foreign))).toBe('escrow_id')
  })
  it('is nothing when the terms are another deal, though the ids agree', async () => {
    const terms = { ...TERMS, buyer: OTHER }
    const elsewhere = trade(escrow({ terms, escrow_id: tradeIdOf(terms) }))
    expect(await refused(elsewhere, 'paid', markPaid(terms), settle('100100000', terms))).toBe('terms.buyer')
    expect(await refused(trade(escrow({ terms: null })), 'cancel', cancel())).toBe('terms')
    useConfig().config!.chain!.tokens = {}
    expect(await refused(trade(), 'cancel', cancel())).toBe('terms.token')
  })

  const decidedFor = (state: string, to_buyer: string | null, buyer_gets: string) =>
    trade({ state, buyer_gets, dispute: { to_buyer } })
  it('claims the share that was decided', async () => {
    const split = decidedFor('resolved_split', '50.050000', '49.900000')
    api.signing.mockResolvedValue({ typed_data: [settle('50050000')] })
    expect((await checkedRequests(split, 'claim')).settle!.words.sentence.key).toBe('sign.settleSplit')
    expect(await refused(split, 'claim', settle('50049999'))).toBe('toBuyer')
    expect(await refused(decidedFor('resolved_buyer', '100.100000', '99.800000'), 'claim', settle('1'))).toBe('toBuyer')
  })
  it('claims nothing without a decision, or with one that contradicts itself', async () => {
    expect(await refused(decidedFor('resolved_split', null, '99.800000'), 'claim', settle())).toBe('dispute.to_buyer')
    expect(await refused(decidedFor('resolved_buyer', '1.000000', '0.997003'), 'claim', settle('1000000'))).toBe('dispute.to_buyer')
  })
})
