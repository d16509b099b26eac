import { api } from '@/api/client'
import type { SigningRequest, Trade } from '@/api/types'
import { toUnits } from '@/money/decimal'
import { useConfig } from '@/stores/config'
import { useMarkets } from '@/stores/markets'
import { useSession } from '@/stores/session'
import { serverNow } from '@/time/clock'
import { checkTerms, type Deal, type Terms } from '@/wallet/terms'
import { checkCancel, checkMarkPaid, checkSettle, TypedDataMismatch, type Checked } from '@/wallet/typed-data'

export type SignedAct = 'paid' | 'release' | 'cancel' | 'claim'
export type CheckedRequests = Partial<Record<SigningRequest['kind'], Checked>>

/** Which signatures each act is made of; a server asking for others is refused. */
const EXPECTED: Record<SignedAct, SigningRequest['kind'][]> = {
  paid: ['mark_paid', 'settle'],
  release: ['settle'],
  cancel: ['cancel'],
  claim: ['settle'],
}

/**
 * Asks what an act has to sign and compares every request with the trade, down to the terms of its
 * escrow; empty for ledger escrow. Throws a TypedDataMismatch naming the first field that differs.
 */
export async function checkedRequests(trade: Trade, act: SignedAct): Promise<CheckedRequests> {
  if (trade.escrow.backend === 'ledger') return {}
  if (act === 'cancel' && !trade.escrow.escrow_id) return {}
  const [{ typed_data }, { tradeIdOf }] = await Promise.all([api.signing(trade.id, act), import('@/wallet/trade-id')])
  const kinds = typed_data.map(({ kind }) => kind)
  if (kinds.slice().sort().join() !== EXPECTED[act].slice().sort().join()) {
    throw new TypedDataMismatch('typed_data', EXPECTED[act].join(), kinds.join())
  }
  const deal = dealOf(trade, act)
  const terms = checkTerms(trade.escrow.terms, deal)
  const tradeId = tradeIdOf(terms)
  const listed = trade.escrow.escrow_id
  if (listed?.toLowerCase() !== tradeId) throw new TypedDataMismatch('escrow_id', tradeId, listed ?? '—')
  return Object.fromEntries(typed_data.map((one) => [one.kind, check(trade, deal, terms, one)]))
}

/** What this person was shown of the trade, and which share of the escrow the act gives the buyer. */
function dealOf(trade: Trade, act: SignedAct): Deal {
  const own = useSession().user?.wallet.address
  const token = useConfig().config?.chain?.tokens[trade.base]
  if (!own) throw new TypedDataMismatch(`terms.${trade.role}`, 'me.wallet.address', '—')
  if (!token) throw new TypedDataMismatch('terms.token', `config.chain.tokens.${trade.base}`, '—')
  const places = useMarkets().places(trade.base)
  const units = (text: string) => toUnits(text, places)
  const total = units(trade.seller_locks)
  return {
    role: trade.role,
    own,
    token,
    quantity: units(trade.quantity),
    total,
    fee: units(trade.fee),
    toBuyer: act === 'claim' ? decided(trade, total, units) : total,
    buyerGets: units(trade.buyer_gets),
    asset: trade.base,
    places,
  }
}

function check(trade: Trade, deal: Deal, terms: Terms, { kind, typed_data }: SigningRequest): Checked {
  const site = useConfig().site
  if (!site) throw new TypedDataMismatch('verifyingContract', 'config.chain.escrow', '—')
  const mine = useSession().user?.nickname ?? ''
  const other = trade.counterparty.nickname
  const [buyer, seller] = trade.role === 'buyer' ? [mine, other] : [other, mine]
  const signing = { ...deal, terms, buyer, seller, now: serverNow() }
  if (kind === 'mark_paid') return checkMarkPaid(typed_data, site, signing)
  if (kind === 'cancel') return checkCancel(typed_data, site, signing)
  return checkSettle(typed_data, site, signing)
}

/** The share that the decision on screen gives the buyer. */
function decided(trade: Trade, total: bigint, units: (text: string) => bigint): bigint {
  const share = trade.dispute?.to_buyer
  if (share == null) throw new TypedDataMismatch('dispute.to_buyer', trade.state, '—')
  const expected = { resolved_buyer: total, resolved_seller: 0n }[trade.state] ?? units(share)
  if (units(share) !== expected) throw new TypedDataMismatch('dispute.to_buyer', trade.state, share)
  return expected
}
