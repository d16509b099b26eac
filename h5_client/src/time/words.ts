/** Dates in the person's own zone, in the language of the page and the habits of their region. */

/** "en" on a British phone writes times as in Britain. */
export function regional(locale: string): string {
  const language = locale.split('-')[0]
  return navigator.languages.find((wish) => wish.split('-')[0] === language) ?? locale
}

/** A span that is set, not counted down: 1800 → "30 min". */
export function duration(seconds: number, locale: string): string {
  const [value, unit] = seconds % 3600 ? [Math.ceil(seconds / 60), 'minute'] : [seconds / 3600, 'hour']
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'short' }).format(value)
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['second', 60],
  ['minute', 60],
  ['hour', 24],
  ['day', 7],
]

/** "3 minutes ago"; null once it is older than a week and a date says more. */
export function ago(iso: string, nowMs: number, locale: string): string | null {
  let value = (Date.parse(iso) - nowMs) / 1000
  if (value > 0) value = 0
  const words = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' })
  for (const [unit, size] of STEPS) {
    if (Math.abs(value) < size) return words.format(Math.ceil(value), unit)
    value /= size
  }
  return null
}

export function dateTime(iso: string, locale: string): string {
  return new Intl.DateTimeFormat(regional(locale), { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso))
}

/** With seconds and zone: what a tap or hover shows. */
export function exactTime(iso: string, locale: string): string {
  return new Intl.DateTimeFormat(regional(locale), { dateStyle: 'full', timeStyle: 'long' }).format(new Date(iso))
}

export function day(iso: string, locale: string): string {
  return new Intl.DateTimeFormat(regional(locale), { dateStyle: 'medium' }).format(new Date(iso))
}

export function clockTime(iso: string, locale: string): string {
  return new Intl.DateTimeFormat(regional(locale), { timeStyle: 'short' }).format(new Date(iso))
}
