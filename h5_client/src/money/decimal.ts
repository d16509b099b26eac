/** Exact decimal arithmetic on strings: amounts and prices never pass through floating point. */

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/

/** An exact decimal number: `units` × 10^-`places`. */
export interface Decimal {
  units: bigint
  places: number
}

/** Reads "12.50"; null for anything that is not a plain decimal number. */
export function parseDecimal(text: string): Decimal | null {
  const match = DECIMAL.exec(text)
  if (!match) return null
  const [, sign, whole = '0', fraction = ''] = match
  const units = BigInt(whole + fraction)
  return { units: sign ? -units : units, places: fraction.length }
}

/** Like `parseDecimal`, for values that the server vouches for. Throws on anything else. */
export function decimal(text: string): Decimal {
  const value = parseDecimal(text)
  if (!value) throw new Error(`not a decimal number: ${text}`)
  return value
}

/** What a person typed, comma or point as the decimal mark; null when it is not a number yet. */
export function parseTyped(text: string): Decimal | null {
  const plain = text.trim().replace(',', '.').replace(/\.$/, '').replace(/^\./, '0.')
  return parseDecimal(plain)
}

/** Units at `places`, rounded towards zero when digits have to go. */
export function rescale(value: Decimal, places: number): bigint {
  const shift = places - value.places
  return shift >= 0 ? value.units * 10n ** BigInt(shift) : value.units / 10n ** BigInt(-shift)
}

/** The inverse of `decimal`: always with all of its places. */
export function text(value: Decimal): string {
  const negative = value.units < 0n
  const digits = (negative ? -value.units : value.units).toString().padStart(value.places + 1, '0')
  const cut = digits.length - value.places
  const fraction = value.places ? `.${digits.slice(cut)}` : ''
  return `${negative ? '-' : ''}${digits.slice(0, cut)}${fraction}`
}

export function toUnits(amount: string, places: number): bigint {
  return rescale(decimal(amount), places)
}

export function fromUnits(units: bigint, places: number): string {
  return text({ units, places })
}

export function multiply(a: Decimal, b: Decimal): Decimal {
  return { units: a.units * b.units, places: a.places + b.places }
}

/** a ÷ b at `places`, rounded towards zero; null when b is zero. */
export function divide(a: Decimal, b: Decimal, places: number): Decimal | null {
  if (b.units === 0n) return null
  const scale = 10n ** BigInt(places + b.places)
  return { units: (a.units * scale) / (b.units * 10n ** BigInt(a.places)), places }
}

/** Negative, zero or positive as a is below, equal to or above b. */
export function compare(a: Decimal, b: Decimal): number {
  const places = Math.max(a.places, b.places)
  const difference = rescale(a, places) - rescale(b, places)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/** The largest multiple of `step` that is not above `value`. */
export function floorTo(value: Decimal, step: Decimal): Decimal {
  const places = Math.max(value.places, step.places)
  const size = rescale(step, places)
  const units = rescale(value, places)
  return { units: size === 0n ? units : units - (units % size), places }
}

/** What a person typed as the server wants it ("0,5" → "0.5"); empty when it is not a positive number. */
export function typedAmount(input: string): string {
  const value = parseTyped(input)
  return value && value.units > 0n ? text(value) : ''
}
