import { computed, onScopeDispose, ref, shallowRef, watch, type ComputedRef } from 'vue'
import { problemOf, type Problem } from '@/acts/problem'
import { api } from '@/api/client'
import type { Market, OrderRequest, Quote } from '@/api/types'
import { toUnits } from '@/money/decimal'
import { useConfig } from '@/stores/config'
import { useSession } from '@/stores/session'
import { serverNow } from '@/time/clock'
import { checkAuthority, TypedDataMismatch, type Checked } from '@/wallet/typed-data'

const PAUSE_MS = 350

/** The server's preview of an order, asked for again whenever the order changes. */
export function useQuote(request: ComputedRef<OrderRequest | null>) {
  const quote = shallowRef<Quote | null>(null)
  const problem = ref<Problem | null>(null)
  const answered = ref('')
  const session = useSession()
  const wanted = computed(() => JSON.stringify(request.value))
  /** the shown quote is for the order as it now stands */
  const fresh = computed(() => quote.value !== null && answered.value === wanted.value)
  let timer: ReturnType<typeof setTimeout> | undefined

  async function ask(): Promise<void> {
    const mine = wanted.value
    if (!request.value || !session.user) return
    try {
      const answer = await api.quote(request.value)
      if (mine === wanted.value) [quote.value, problem.value, answered.value] = [answer, null, mine]
    } catch (error) {
      if (mine === wanted.value) [quote.value, problem.value] = [null, problemOf(error)]
    }
  }

  watch(
    wanted,
    () => {
      clearTimeout(timer)
      problem.value = null
      if (!request.value) quote.value = null
      else timer = setTimeout(() => void ask(), PAUSE_MS)
    },
    { immediate: true },
  )
  onScopeDispose(() => clearTimeout(timer))
  return { quote, problem, fresh, ask }
}

/** The authority that a seller's device will sign for a quote, checked; null where nothing is signed. */
export function checkedAuthority(quote: Quote, market: Market, quantity: string): Checked | null {
  if (!quote.authority) return null
  const site = useConfig().site
  const owner = useSession().user?.wallet.address
  const token = useConfig().config?.chain?.tokens[market.base]
  if (!site || !owner || !token) throw new TypedDataMismatch('verifyingContract', 'config.chain', '—')
  return checkAuthority(quote.authority, site, {
    owner,
    token,
    mostTotal: mostEscrowed(toUnits(quantity, market.base_places), market.max_fee_bps),
    maxFeeBps: bothFeesBps(market.max_fee_bps),
    now: serverNow(),
    asset: market.base,
    places: market.base_places,
  })
}

/** The escrow contract refuses more, whatever was signed. */
const HARD_FEE_CAP_BPS = 500

/** Both sides' highest fee rates and a basis point for rounding: what the contract compares with. */
export function bothFeesBps(marketMaxBps: number): number {
  return Math.min(2 * marketMaxBps + 1, HARD_FEE_CAP_BPS)
}

/** Quantity and the highest fee of the market on it, rounded up: no order may lock more. */
export function mostEscrowed(quantity: bigint, maxFeeBps: number): bigint {
  return quantity + (quantity * BigInt(maxFeeBps) + 9_999n) / 10_000n
}
