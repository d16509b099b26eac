import { keccak_256 } from '@noble/hashes/sha3.js'
import { STRUCTS } from './structs.ts'
import type { Terms } from './terms'

/** Loaded with the signer, only when something has to be signed. */

/** The contract's trade id: EIP-712 hashStruct(Terms). Every field must have passed `checkTerms`. */
export function tradeIdOf(terms: Terms): string {
  const type = `Terms(${STRUCTS.Terms.map(([name, kind]) => `${kind} ${name}`).join()})`
  const words = STRUCTS.Terms.map(([name, kind]) => word(kind, terms[name]))
  return `0x${hash(unhex(hash(new TextEncoder().encode(type)) + words.join('')))}`
}

/** One ABI word in hexadecimal digits: numbers and addresses to the right, bytes32 as it is. */
function word(kind: string, value: string): string {
  const digits = kind.startsWith('uint') ? BigInt(value).toString(16) : value.slice(2).toLowerCase()
  return digits.padStart(64, '0')
}

function hash(bytes: Uint8Array): string {
  return Array.from(keccak_256(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function unhex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}
