import { computed, reactive, type ComputedRef } from 'vue'
import type { Market, Offer, Order, OrderChange, OrderRequest, OrderType, PriceKind, Side, TimeInForce } from '@/api/types'
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
  /** bounds of a floating price */
  floor: string
  ceiling: string
  quantity: string
  minTrade: string
  maxTrade: string
  tif: TimeInForce
  /** as a datetime-local input has it, in this device's time zone */
  until: string
  postOnly: boolean
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
    floor: '',
    ceiling: '',
    quantity: '',
    minTrade: '',
    maxTrade: '',
    tif: 'GTC',
    until: '',
    postOnly: false,
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
  const standing = standingTerms(form)
  if (!standing) return null
  const terms = { ...base, ...limits, ...standing, order_type: 'limit' as const }
  if (form.priceKind === 'fixed') {
    const price = typedAmount(form.price)
    return price ? { ...terms, price_kind: 'fixed', price } : null
  }
  const margin_bps = marginBps(form.margin)
  const bounds = optional({ floor: typedAmount(form.floor), ceiling: typedAmount(form.ceiling) })
  return margin_bps === null ? null : { ...terms, ...bounds, price_kind: 'floating', margin_bps }
}

/** Whether what is not traded at once stays in the book. */
export function rests(tif: TimeInForce): boolean {
  return tif === 'GTC' || tif === 'GTD'
}

/** How long an order stands, and whether it only waits; null while its date is missing. */
function standingTerms(form: OrderForm): Pick<OrderRequest, 'tif' | 'expires_at' | 'post_only'> | null {
  const post_only = rests(form.tif) && form.postOnly
  if (form.tif !== 'GTD') return { tif: form.tif, ...(post_only && { post_only }) }
  const until = new Date(form.until)
  if (Number.isNaN(until.getTime())) return null
  return { tif: form.tif, expires_at: until.toISOString(), ...(post_only && { post_only }) }
}

/** The fields of a change of an order, as text. */
export type ChangeForm = Record<'price' | 'margin' | 'floor' | 'ceiling' | 'remaining', string>

/** What stands now, for the change sheet. */
export function changeForm(order: Order): ChangeForm {
  const shown = (amount: string | null) => (amount === null ? '' : compact(amount))
  return {
    price: shown(order.price),
    margin: order.margin_bps === null ? '' : String(order.margin_bps / 100),
    floor: shown(order.floor),
    ceiling: shown(order.ceiling),
    remaining: compact(order.remaining),
  }
}

/** Only what is different from what stands; null while nothing is. */
export function toChange(order: Order, form: ChangeForm): OrderChange | null {
  const before = changeForm(order)
  const floating = order.price_kind === 'floating'
  const names = floating ? (['floor', 'ceiling', 'remaining'] as const) : (['price', 'remaining'] as const)
  const change: OrderChange = {}
  for (const name of names) {
    const value = typedAmount(form[name])
    if (value && value !== before[name]) change[name] = value
  }
  const margin = marginBps(form.margin)
  if (floating && margin !== null && margin !== order.margin_bps) change.margin_bps = margin
  return Object.keys(change).length ? change : null
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
