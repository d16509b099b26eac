import { computed, reactive, type ComputedRef } from 'vue'
import type { Market, Offer, OrderRequest, OrderType, PriceKind, Side } from '@/api/types'
import { compare, decimal, divide, floorTo, multiply, parseTyped, rescale, text, typedAmount } from '@/money/decimal'
import { compact } from '@/money/format'

/** What the sheet was opened for: one offer, or an order of one's own. */
export type Intent = { kind: 'take'; offer: Offer } | { kind: 'post'; side: Side }

export interface OrderForm {
  side: Side
  orderType: OrderType
  priceKind: PriceKind
  price: string
  /** per cent over (or under) the index */
  margin: string
  quantity: string
  minTrade: string
  maxTrade: string
  method: string
  account: number | null
}

/** The order sheet's fields for one intent, filled with what most people want. */
export function newForm(market: Market, intent: Intent): OrderForm {
  const taking = intent.kind === 'take' ? intent.offer : null
  return reactive({
    side: taking ? (taking.side === 'sell' ? 'buy' : 'sell') : (intent as { side: Side }).side,
    orderType: 'limit',
    priceKind: 'fixed',
    price: taking?.price ?? market.index.price ?? '',
    margin: '0',
    quantity: '',
    minTrade: '',
    maxTrade: '',
    method: (taking?.methods ?? market.methods)[0] ?? '',
    account: null,
  })
}

/** The request for a quote or an order; null while a needed number is missing. */
export function toRequest(form: OrderForm, market: Market, intent: Intent): OrderRequest | null {
  const quantity = typedAmount(form.quantity)
  if (!quantity || !form.method) return null
  const base = { market: market.id, side: form.side, quantity, methods: [form.method] }
  if (intent.kind === 'take') {
    const { order_id, price } = intent.offer
    if (!price) return null
    return { ...base, order_type: 'limit', price_kind: 'fixed', price, take_order: order_id }
  }
  if (form.orderType === 'market') return { ...base, order_type: 'market', price_kind: 'fixed' }
  const limits = optional({ min_trade: typedAmount(form.minTrade), max_trade: typedAmount(form.maxTrade) })
  if (form.priceKind === 'fixed') {
    const price = typedAmount(form.price)
    return price ? { ...base, ...limits, order_type: 'limit', price_kind: 'fixed', price } : null
  }
  const margin_bps = marginBps(form.margin)
  return margin_bps === null ? null : { ...base, ...limits, order_type: 'limit', price_kind: 'floating', margin_bps }
}

/** Per cent as typed ("-1,25") to basis points; null when it is finer than that or no number. */
export function marginBps(percent: string): number | null {
  const typed = percent.trim().replace('−', '-').replace(/^\+/, '')
  const value = parseTyped(typed)
  if (!value) return null
  const bps = rescale(value, 2)
  return compare(value, { units: bps, places: 2 }) === 0 ? Number(bps) : null
}

/** Two linked fields: coins, and money at a price. Writing one computes the other. */
export function linkedMoney(form: OrderForm, market: Market, price: ComputedRef<string | null>) {
  return computed({
    get: () => fiatOf(typedAmount(form.quantity), price.value, market.quote_places),
    set: (typed: string) => {
      const money = parseTyped(typed)
      const at = price.value && decimal(price.value)
      const coins = money && at && divide(money, at, market.base_places)
      form.quantity = coins ? compact(text(floorTo(coins, decimal(market.lot)))) : ''
    },
  })
}

/** Money for coins at a price, rounded down to the money's places; empty while either is missing. */
export function fiatOf(quantity: string, price: string | null, places: number): string {
  if (!quantity || !price) return ''
  return text({ units: rescale(multiply(decimal(quantity), decimal(price)), places), places })
}

/** Which limit an amount breaks, if any; the server checks again. */
export function brokenLimit(quantity: string, least: string, most: string): 'least' | 'most' | null {
  if (!quantity) return null
  if (compare(decimal(quantity), decimal(least)) < 0) return 'least'
  return compare(decimal(quantity), decimal(most)) > 0 ? 'most' : null
}

/** The smaller of what an offer still has and allows in one trade. */
export function offerMost(offer: Offer): string {
  return compare(decimal(offer.available), decimal(offer.max_trade)) < 0 ? offer.available : offer.max_trade
}

function optional<V extends Record<string, string>>(values: V): Partial<V> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value)) as Partial<V>
}
