import { describe, expect, it } from 'vitest'
import type { TypedData } from '@/api/types'
import { checkAuthority, checkCancel, checkMarkPaid, checkSettle, checkWalletBinding, TypedDataMismatch } from '@/wallet/typed-data'
import { STRUCTS } from '@/wallet/structs'
import type { Terms } from '@/wallet/terms'
import { bothFeesBps, mostEscrowed } from '@/views/market/quote'

import vectors from './trade-ids.json'

const SITE = { chainId: 31337, escrow: '0x5FbDB2315678afecb367f032d93F642f64180aa3' }
const OWNER = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'
const TOKEN = '0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512'
const OTHER = `0x${'99'.repeat(20)}`
const NOW = 1_800_000_000_000
const COINS = { asset: 'USDT', places: 6 }

function typed(struct: string, fields: string, message: Record<string, unknown>): TypedData {
  const types = fields.split(',').map((field) => ({ type: field.split(' ')[0]!, name: field.split(' ')[1]! }))
  const domain = { name: 'OTC Portal Escrow', version: '1', chainId: SITE.chainId, verifyingContract: SITE.escrow }
  return { domain, types: { [struct]: types, ...('terms' in message && TERMS_TYPE) }, primaryType: struct, message }
}
const TERMS = vectors[0]!.terms as Terms
const TERMS_TYPE = { Terms: STRUCTS.Terms.map(([name, type]) => ({ name, type })) }
const AUTHORITY =
  'address owner,address token,uint128 maxTotal,uint128 minPerTrade,uint128 maxPerTrade,address arbiter,address backupArbiter,address feeTo,uint16 maxFeeBps,uint16 maxArbiterFeeBps,address opener,uint32 payWindow,uint32 resolveWindow,uint32 sunsetWindow,uint16 sunsetBuyerBps,uint40 deadline,uint256 nonce'
const authority = (change: object = {}) =>
  typed('OrderAuthority', AUTHORITY, {
    owner: OWNER, token: TOKEN, maxTotal: '101000000', minPerTrade: '0', maxPerTrade: '101000000', arbiter: OTHER,
    backupArbiter: OTHER, feeTo: OTHER, maxFeeBps: '201', maxArbiterFeeBps: '0', opener: OTHER, payWindow: '5400',
    resolveWindow: '7776000', sunsetWindow: '15552000', sunsetBuyerBps: '5000', deadline: '1900000000', nonce: '7', ...change,
  })
const order = { owner: OWNER, token: TOKEN, mostTotal: 101_000_000n, maxFeeBps: 201, now: NOW, ...COINS }

const SETTLE = 'Terms terms,uint128 toBuyer,bool payArbiter,uint40 deadline'
const settle = (change: object = {}) =>
  typed('Settle', SETTLE, { terms: TERMS, toBuyer: '100100000', payArbiter: false, deadline: '1900000000', ...change })
const deal = { terms: TERMS, toBuyer: 100_100_000n, buyer: 'bob', seller: 'alice', now: NOW, ...COINS }

const refuses = (work: () => unknown, field: string) => {
  expect(work).toThrow(TypedDataMismatch)
  try {
    work()
  } catch (error) {
    expect((error as TypedDataMismatch).field).toBe(field)
  }
}

describe('an order authority', () => {
  it('is accepted when it is the order, and told in words', () => {
    const { words, typedData } = checkAuthority(authority(), SITE, order)
    expect(words.sentence).toMatchObject({ key: 'sign.authority', values: { most: '101.000000 USDT', bps: '201', days: '180', share: '50' } })
    expect(Object.keys(typedData.types)).toEqual(['EIP712Domain', 'OrderAuthority'])
  })
  it.each([
    ['owner', { owner: OTHER }],
    ['token', { token: OTHER }],
    ['maxTotal', { maxTotal: '101000001' }],
    ['maxPerTrade', { maxPerTrade: '101000001' }],
    ['maxFeeBps', { maxFeeBps: '202' }],
    ['maxArbiterFeeBps', { maxArbiterFeeBps: '1' }],
    ['deadline', { deadline: '1700000000' }],
    ['maxTotal', { maxTotal: 1e21 }],
    ['fields', { spender: OTHER }],
  ])('is refused when %s differs', (field, change) => {
    refuses(() => checkAuthority(authority(change), SITE, order), field)
  })
  it('covers at most the quantity and the highest fee, rounded up', () => {
    expect(mostEscrowed(100_000_001n, 100)).toBe(101_000_002n)
    expect(bothFeesBps(100)).toBe(201)
    expect(bothFeesBps(400)).toBe(500)
  })
})

describe('a settlement', () => {
  it('is accepted when it gives the buyer the whole escrow', () => {
    expect(checkSettle(settle(), SITE, deal).words.sentence.key).toBe('sign.settleAll')
  })
  it('tells a decided split', () => {
    const { words } = checkSettle(settle({ toBuyer: '50000000' }), SITE, { ...deal, toBuyer: 50_000_000n })
    expect(words.sentence).toMatchObject({ key: 'sign.settleSplit', values: { toBuyer: '50.000000 USDT', toSeller: '50.100000 USDT', buyer: 'bob', seller: 'alice' } })
  })
  it.each([
    ['toBuyer', { toBuyer: '1' }],
    ['terms.amount', { terms: { ...TERMS, amount: '1' } }],
    ['terms.payBy', { terms: { ...TERMS, payBy: '1900000001' } }],
    ['terms', { terms: { ...TERMS, spender: OTHER } }],
    ['terms', { terms: 'all' }],
    ['payArbiter', { payArbiter: true }],
    ['payArbiter', { payArbiter: 'false' }],
    ['deadline', { deadline: '1' }],
  ])('is refused when %s differs', (field, change) => {
    refuses(() => checkSettle(settle(change), SITE, deal), field)
  })
  it('is refused when the nested type is another', () => {
    const request = settle()
    const Terms = request.types.Terms!.map((field) => (field.name === 'amount' ? { ...field, type: 'uint256' } : field))
    refuses(() => checkSettle({ ...request, types: { ...request.types, Terms } }, SITE, deal), 'types')
  })
  it('is signed with the terms in it', () => {
    expect(Object.keys(checkSettle(settle(), SITE, deal).typedData.types)).toEqual(['EIP712Domain', 'Settle', 'Terms'])
  })
})

describe('the place of the contract', () => {
  const elsewhere = (change: object) => ({ ...settle(), domain: { ...settle().domain, ...change } })
  it.each([
    ['chainId', { chainId: 1 }],
    ['verifyingContract', { verifyingContract: OTHER }],
    ['domain.name', { name: 'Permit2' }],
    ['domain.version', { version: '2' }],
  ])('must be the configured one: %s', (field, change) => {
    refuses(() => checkSettle(elsewhere(change), SITE, deal), field)
  })
})

describe('acts that name nothing but the trade', () => {
  const cancel = typed('Cancel', 'Terms terms', { terms: TERMS })
  it('are not taken for one another', () => {
    refuses(() => checkMarkPaid(cancel, SITE, deal), 'primaryType')
    refuses(() => checkMarkPaid({ ...cancel, primaryType: 'MarkPaid' }, SITE, deal), 'types')
  })
  it('tell the deal: amount, counterparty, deadline', () => {
    const told = checkMarkPaid(typed('MarkPaid', 'Terms terms', { terms: TERMS }), SITE, deal).words
    const until = '2030-03-17T17:46:40.000Z'
    expect(told.sentence).toMatchObject({ key: 'sign.markPaid', values: { amount: '100.100000 USDT', seller: 'alice', until, bps: '5000' } })
    expect(checkCancel(cancel, SITE, deal).words.sentence).toMatchObject({ key: 'sign.cancel', values: { amount: '100.100000 USDT', seller: 'alice' } })
    expect(told.facts).toContainEqual({ label: 'payBy', value: TERMS.payBy })
  })
  it('are refused for other terms', () => {
    refuses(() => checkCancel(typed('Cancel', 'Terms terms', { terms: { ...TERMS, seller: OTHER } }), SITE, deal), 'terms.seller')
  })
})

describe('a wallet binding', () => {
  const binding = (change: object = {}) =>
    typed('WalletBinding', 'uint256 userId,address address,uint64 issuedAt', { userId: '7', address: OWNER, issuedAt: '1800000000', ...change })
  it('binds this key to this person', () => {
    expect(checkWalletBinding(binding(), { userId: 7, address: OWNER, site: SITE }).words.sentence.key).toBe('sign.binding')
  })
  it.each([
    ['userId', { userId: '8' }],
    ['address', { address: OTHER }],
  ])('is refused when %s differs', (field, change) => {
    refuses(() => checkWalletBinding(binding(change), { userId: 7, address: OWNER, site: SITE }), field)
  })
})
