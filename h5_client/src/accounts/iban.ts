/** Light check of an IBAN while it is typed (ISO 13616 form and check digits); the server decides. */
export function ibanLooksRight(text: string): boolean {
  const iban = text.replace(/\s/g, '').toUpperCase()
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(iban)) return false
  const digits = (iban.slice(4) + iban.slice(0, 4)).replace(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55))
  return BigInt(digits) % 97n === 1n
}

/** In groups of four, as printed on cards. */
export function ibanGroups(text: string): string {
  return text.replace(/\s/g, '').toUpperCase().replace(/(.{4})(?=.)/g, '$1 ')
}

/** A field of a payment account as a person reads it. */
export function accountValue(name: string, value: string): string {
  return /iban/i.test(name) ? ibanGroups(value) : value
}
