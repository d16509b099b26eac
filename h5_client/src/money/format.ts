import { decimal, parseDecimal, rescale, text, type Decimal } from './decimal'

/** A number in the parts that a screen draws differently. */
export interface Parts {
  sign: '' | '-'
  /** with thousands separators */
  whole: string
  /** decimal mark and digits up to the last that is not zero */
  significant: string
  /** trailing zeros (with the decimal mark if nothing but zeros follow it), drawn faint */
  zeros: string
}

/** Splits an amount for display with exactly `places` digits; further digits are never dropped silently. */
export function parts(amount: string, places?: number): Parts {
  const value = decimal(amount)
  const shown: Decimal =
    places !== undefined && places > value.places ? { units: rescale(value, places), places } : value
  const [whole = '0', fraction = ''] = text(shown).replace('-', '').split('.')
  const kept = fraction.replace(/0+$/, '')
  const zeros = fraction.slice(kept.length)
  return {
    sign: shown.units < 0n ? '-' : '',
    whole: whole.replace(/\B(?=(\d{3})+$)/g, ','),
    significant: kept ? `.${kept}` : '',
    zeros: kept || !zeros ? zeros : `.${zeros}`,
  }
}

/** One string, for sentences: "1,250.50". */
export function plain(amount: string, places?: number): string {
  const { sign, whole, significant, zeros } = parts(amount, places)
  return `${sign}${whole}${significant}${zeros}`
}

/** For sentences where nobody needs "100.000000": trailing zeros go, two digits of money stay. */
export function short(amount: string, least = 0): string {
  if (!parseDecimal(amount)) return amount
  const { sign, whole, significant } = parts(amount)
  const digits = significant.slice(1).padEnd(least, '0')
  return `${sign}${whole}${digits ? `.${digits}` : ''}`
}

/** Basis points as per cent: 125 → "1.25 %", signed when asked. */
export function percent(bps: number, signed = false): string {
  const digits = (Math.abs(bps) / 100).toFixed(2).replace(/\.?0+$/, '')
  const sign = bps < 0 ? '−' : signed && bps > 0 ? '+' : ''
  return `${sign}${digits} %`
}

/** "0.984" → "98 %", rounded down so that nobody looks better than they are. */
export function rate(fraction: string | number): string {
  return `${Math.floor(Number(fraction) * 100 + 1e-9)} %`
}

/** For input fields: no separators, no trailing zeros. */
export function compact(amount: string): string {
  const { sign, whole, significant } = parts(amount)
  return `${sign}${whole.replaceAll(',', '')}${significant}`
}

/** The digits that number the orders and trades of one day; those before them are the day. */
const RUNNING = 10

/** A number of an order or a trade in the parts that a screen draws differently. */
export function numberParts(value: number): { day: string; zeros: string; running: string } {
  const digits = String(value)
  if (digits.length <= RUNNING) return { day: '', zeros: '', running: digits }
  const running = digits.slice(-RUNNING).replace(/^0+/, '')
  return { day: digits.slice(0, -RUNNING), zeros: '0'.repeat(RUNNING - running.length), running }
}
