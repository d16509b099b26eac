import { computed } from 'vue'
import { describe, expect, it } from 'vitest'
import type { Market, Offer, Order } from '@/api/types'
import {
  brokenLimit,
  changeForm,
  fiatOf,
  linkedMoney,
  marginBps,
  newForm,
  offerMost,
  toChange,
  toRequest,
} from '@/views/market/order-form'
import { ibanGroups, ibanLooksRight } from '@/accounts/iban'

const market = {
  id: 'USDT-EUR', base: 'USDT', quote: 'EUR', base_places: 6, quote_places: 2, price_places: 4, lot: '0.01',
  min_trade: '10', max_trade: '5000', methods: ['sepa'], index: { price: '0.9214', at: null, reason: null, sources: [] },
} as unknown as Market
const offer = { order_id: 11, side: 'sell', price: '0.9230', available: '500', max_trade: '800', min_trade: '20', methods: ['sepa'] } as Offer

describe('an order', () => {
  it('taking an offer is a limit at its price', () => {
    const intent = { kind: 'take' as const, offer }
    const form = newForm(market, intent)
    form.quantity = '100,5'
    expect(toRequest(form, market, intent)).toEqual({
      market: 'USDT-EUR', side: 'buy', quantity: '100.5', methods: ['sepa'], order_type: 'limit', price_kind: 'fixed', price: '0.9230', take_order: 11,
    })
  })
  it('of one’s own has a price or a margin, and limits only when wanted', () => {
    const intent = { kind: 'post' as const, side: 'sell' as const }
    const form = newForm(market, intent)
    Object.assign(form, { quantity: '500', priceKind: 'floating', margin: '-0,25', maxTrade: '100' })
    expect(toRequest(form, market, intent)).toMatchObject({ side: 'sell', margin_bps: -25, max_trade: '100' })
    expect(toRequest(form, market, intent)).not.toHaveProperty('min_trade')
    form.margin = '0.125'
    expect(toRequest(form, market, intent)).toBeNull()
    Object.assign(form, { orderType: 'market' })
    expect(toRequest(form, market, intent)).not.toHaveProperty('price')
  })
  it('stands until its date, bounded, and only waits when it stands', () => {
    const intent = { kind: 'post' as const, side: 'sell' as const }
    const form = newForm(market, intent)
    Object.assign(form, { quantity: '500', priceKind: 'floating', margin: '1', floor: '0,91', ceiling: '', postOnly: true })
    expect(toRequest(form, market, intent)).toMatchObject({ floor: '0.91', tif: 'GTC', post_only: true })
    expect(toRequest(form, market, intent)).not.toHaveProperty('ceiling')
    form.tif = 'GTD'
    expect(toRequest(form, market, intent)).toBeNull()
    form.until = '2030-01-31T18:00'
    expect(toRequest(form, market, intent)).toMatchObject({ expires_at: new Date('2030-01-31T18:00').toISOString() })
    form.tif = 'FOK'
    expect(toRequest(form, market, intent)).not.toHaveProperty('post_only')
    expect(toRequest(form, market, intent)).not.toHaveProperty('expires_at')
  })
  it('is changed only where it is different', () => {
    const fixed = { price_kind: 'fixed', price: '0.9200', margin_bps: null, floor: null, ceiling: null, remaining: '500.000000' } as Order
    const form = changeForm(fixed)
    expect(toChange(fixed, form)).toBeNull()
    expect(toChange(fixed, { ...form, remaining: '400', price: '0.92' })).toEqual({ remaining: '400' })
    const floating = { ...fixed, price_kind: 'floating', price: null, margin_bps: 125, floor: '0.9100' } as Order
    const moving = changeForm(floating)
    expect(moving.margin).toBe('1.25')
    expect(toChange(floating, moving)).toBeNull()
    expect(toChange(floating, { ...moving, margin: '-0.5', ceiling: '0.95' })).toEqual({ margin_bps: -50, ceiling: '0.95' })
  })
  it('is nothing without an amount', () => {
    const intent = { kind: 'post' as const, side: 'buy' as const }
    expect(toRequest(newForm(market, intent), market, intent)).toBeNull()
  })
})

describe('numbers of the form', () => {
  it('links money and coins at the price, in whole lots', () => {
    const form = newForm(market, { kind: 'take', offer })
    const money = linkedMoney(form, market, computed(() => '0.9180'))
    money.value = '100'
    expect(form.quantity).toBe('108.93')
    expect(money.value).toBe('99.99')
    expect(fiatOf('', '1', 2)).toBe('')
  })
  it('reads margins of two digits only', () => {
    expect(marginBps('+0.5')).toBe(50)
    expect(marginBps('−1,25')).toBe(-125)
    expect(marginBps('1.234')).toBeNull()
    expect(marginBps('x')).toBeNull()
  })
  it('knows the limits of an offer', () => {
    expect(offerMost(offer)).toBe('500')
    expect(brokenLimit('19.99', '20', '500')).toBe('least')
    expect(brokenLimit('500.01', '20', '500')).toBe('most')
    expect(brokenLimit('20', '20', '500')).toBeNull()
  })
})

describe('IBANs', () => {
  it('are checked by their digits', () => {
    expect(ibanLooksRight('DE89 3704 0044 0532 0130 00')).toBe(true)
    expect(ibanLooksRight('de89370400440532013000')).toBe(true)
    expect(ibanLooksRight('DE89 3704 0044 0532 0130 01')).toBe(false)
    expect(ibanLooksRight('hello')).toBe(false)
    expect(ibanGroups('DE89370400440532013000')).toBe('DE89 3704 0044 0532 0130 00')
  })
})
