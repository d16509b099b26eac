import { describe, expect, it } from 'vitest'
import type { Market } from '@/api/types'
import { firstLook } from '@/stores/markets'

const market = (id: string, best_bid: string | null, best_ask: string | null) =>
  ({ id, base: id.split('-')[0], best_bid, best_ask }) as Market

describe('the market that is shown first', () => {
  it.each([
    ['has offers', [market('BTC-EUR', null, null), market('ETH-EUR', null, '1'), market('USDT-EUR', null, null)], 'ETH-EUR'],
    ['is the usual coin of those with offers', [market('BTC-EUR', '1', '2'), market('USDT-EUR', '1', null)], 'USDT-EUR'],
    ['is the usual coin when nobody offers', [market('BTC-EUR', null, null), market('USDT-EUR', null, null)], 'USDT-EUR'],
    ['is any when there is no better', [market('BTC-EUR', null, null)], 'BTC-EUR'],
    ['is none when there is none', [], null],
  ])('%s', (_why, markets, id) => {
    expect(firstLook(markets)).toBe(id)
  })
})
