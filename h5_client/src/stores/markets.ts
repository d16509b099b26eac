import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { api } from '@/api/client'
import type { Market, PaymentMethod } from '@/api/types'

/** Places of assets before the markets are known, and of assets that no market trades. */
const USUAL_PLACES: Record<string, number> = { USDT: 6, BTC: 8, ETH: 9, EUR: 2, USD: 2, CNY: 2 }

/** Where somebody who has not chosen starts: a market with offers, the usual coin before others. */
export function firstLook(markets: Market[]): string | null {
  const offered = markets.filter((market) => market.best_bid !== null || market.best_ask !== null)
  const candidates = offered.length ? offered : markets
  return (candidates.find(({ base }) => base === 'USDT') ?? candidates[0])?.id ?? null
}

/** Markets and payment methods: what can be traded and how it is paid. */
export const useMarkets = defineStore('markets', () => {
  const markets = ref<Market[]>([])
  const methods = ref<PaymentMethod[]>([])
  const chosen = ref<string | null>(null)
  let methodsLoading: Promise<PaymentMethod[]> | null = null

  async function load(): Promise<Market[]> {
    markets.value = (await api.markets()).markets
    if (!markets.value.some(({ id }) => id === chosen.value)) chosen.value = firstLook(markets.value)
    return markets.value
  }

  async function ensure(): Promise<Market[]> {
    return markets.value.length ? markets.value : load()
  }

  async function loadMethods(): Promise<PaymentMethod[]> {
    methodsLoading ??= api
      .paymentMethods()
      .then((answer) => answer.methods)
      .catch((error: unknown) => {
        methodsLoading = null
        throw error
      })
    return (methods.value = await methodsLoading)
  }

  const current = computed(() => find(chosen.value))
  const find = (id: string | null) => markets.value.find((market) => market.id === id) ?? null
  const methodName = (slug: string) => methods.value.find((method) => method.slug === slug)?.name ?? slug.toUpperCase()

  function places(asset: string): number {
    const based = markets.value.find((market) => market.base === asset)
    if (based) return based.base_places
    const quoted = markets.value.find((market) => market.quote === asset)
    return quoted?.quote_places ?? USUAL_PLACES[asset] ?? 2
  }

  return { markets, methods, chosen, current, find, load, ensure, loadMethods, methodName, places }
})
