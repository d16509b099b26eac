import { describe, expect, it } from 'vitest'
import { compare, decimal, divide, floorTo, fromUnits, multiply, parseTyped, text, toUnits, typedAmount } from '@/money/decimal'
import { compact, numberParts, parts, percent, plain, rate, short } from '@/money/format'

describe('decimals', () => {
  it('keep every digit of numbers that floating point would lose', () => {
    expect(text(decimal('123456789012345678.123456789012345678'))).toBe('123456789012345678.123456789012345678')
    expect(fromUnits(toUnits('0.1', 18) + toUnits('0.2', 18), 18)).toBe('0.300000000000000000')
  })
  it('multiply and divide exactly, dividing towards zero', () => {
    expect(text(multiply(decimal('108.93'), decimal('0.9180')))).toBe('99.997740')
    expect(text(divide(decimal('100'), decimal('0.918'), 6)!)).toBe('108.932461')
    expect(divide(decimal('1'), decimal('0'), 2)).toBeNull()
  })
  it('go down to whole lots', () => {
    expect(text(floorTo(decimal('108.932461'), decimal('0.01')))).toBe('108.930000')
  })
  it('compare across places', () => {
    expect(compare(decimal('1.0'), decimal('1.000'))).toBe(0)
    expect(compare(decimal('-1'), decimal('0.5'))).toBeLessThan(0)
  })
  it('read what people type, with a comma too, and nothing else', () => {
    expect(typedAmount('12,5')).toBe('12.5')
    expect(typedAmount(' .5')).toBe('0.5')
    expect(typedAmount('7.')).toBe('7')
    for (const wrong of ['', '-1', '0', '1e5', '1,000.5', 'abc', '0x10', '1.2.3']) expect(typedAmount(wrong)).toBe('')
    expect(parseTyped('-0,25')).toEqual({ units: -25n, places: 2 })
  })
})

describe('amounts on screen', () => {
  it('separate the trailing zeros', () => {
    expect(parts('1250.500000')).toEqual({ sign: '', whole: '1,250', significant: '.5', zeros: '00000' })
    expect(parts('100.00')).toEqual({ sign: '', whole: '100', significant: '', zeros: '.00' })
    expect(parts('-0.05', 8)).toEqual({ sign: '-', whole: '0', significant: '.05', zeros: '000000' })
    expect(parts('7')).toEqual({ sign: '', whole: '7', significant: '', zeros: '' })
  })
  it('never drop digits, even when told of fewer places', () => {
    expect(plain('0.123456', 2)).toBe('0.123456')
  })
  it('are short in sentences and bare in fields', () => {
    expect(short('1000.000000')).toBe('1,000')
    expect(short('92.3', 2)).toBe('92.30')
    expect(compact('1250.500000')).toBe('1250.5')
  })
  it('write rates without flattering', () => {
    expect(rate('0.999')).toBe('99 %')
    expect(rate('1')).toBe('100 %')
    expect(percent(40, true)).toBe('+0.4 %')
    expect(percent(-25)).toBe('−0.25 %')
    expect(percent(100)).toBe('1 %')
  })
})

describe('the number of an order or a trade', () => {
  it('is its day, grey zeros and a running number, and nothing is lost', () => {
    expect(numberParts(3260000000007)).toEqual({ day: '326', zeros: '000000000', running: '7' })
    expect(numberParts(103261234567890)).toEqual({ day: '10326', zeros: '', running: '1234567890' })
    expect(numberParts(8999999999999999)).toEqual({ day: '899999', zeros: '', running: '9999999999' })
    expect(numberParts(23)).toEqual({ day: '', zeros: '', running: '23' })
    expect(Object.values(numberParts(100000000000000)).join('')).toBe('100000000000000')
  })
})
