import { api } from '@/api/client'
import type { SigningRequest, Trade } from '@/api/types'
import { toUnits } from '@/money/decimal'
import { useConfig } from '@/stores/config'
import { useMarkets } from '@/stores/markets'
import { useSession } from '@/stores/session'
import { serverNow } from '@/time/clock'
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

/** Asks what an act has to sign and compares every request with the trade; empty for ledger escrow. */
export async function checkedRequests(trade: Trade, act: SignedAct): Promise<CheckedRequests> {
  if (trade.escrow.backend === 'ledger') return {}
  if (act === 'cancel' && !trade.escrow.escrow_id) return {}
  const { typed_data } = await api.signing(trade.id, act)
  const kinds = typed_data.map(({ kind }) => kind)
  if (kinds.slice().sort().join() !== EXPECTED[act].slice().sort().join()) {
    throw new TypedDataMismatch('typed_data', EXPECTED[act].join(), kinds.join())
  }
  return Object.fromEntries(typed_data.map((one) => [one.kind, check(trade, act, one)]))
}

function check(trade: Trade, act: SignedAct, { kind, typed_data }: SigningRequest): Checked {
  const site = useConfig().site
  if (!site) throw new TypedDataMismatch('verifyingContract', 'config.chain.escrow', '—')
  const tradeId = trade.escrow.escrow_id
  if (kind === 'mark_paid') return checkMarkPaid(typed_data, site, tradeId)
  if (kind === 'cancel') return checkCancel(typed_data, site, tradeId)
  const places = useMarkets().places(trade.base)
  const total = toUnits(trade.seller_locks, places)
  const mine = useSession().user?.nickname ?? ''
  const other = trade.counterparty.nickname
  const [buyer, seller] = trade.role === 'buyer' ? [mine, other] : [other, mine]
  const toBuyer = act === 'claim' ? decided(trade.state, total) : total
  return checkSettle(typed_data, site, { tradeId, total, toBuyer, buyer, seller, now: serverNow(), asset: trade.base, places })
}

/** What the arbiter's decision gives the buyer; null for a split, which the words on screen tell. */
function decided(state: string, total: bigint): bigint | null {
  if (state === 'resolved_buyer') return total
  return state === 'resolved_seller' ? 0n : null
}
