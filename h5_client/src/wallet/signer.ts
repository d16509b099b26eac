import { addr, signTyped } from 'micro-eth-signer'
import type { Checked } from './typed-data'
import { storeKey, withKey } from './key-store'
import { WalletProblem } from './problem'

/** Loaded only when something has to be signed: keeps the cryptography out of the first page. */

/** Makes a secp256k1 key from the browser's randomness and keeps it; returns its address. */
export async function createKey(userId: number): Promise<string> {
  const { privateKey, address } = addr.random()
  await storeKey(userId, address, bytes(privateKey))
  return address
}

/** Keeps a key that came from a backup. */
export async function adoptKey(userId: number, privateKey: Uint8Array): Promise<string> {
  const address = addr.fromPrivateKey(privateKey)
  await storeKey(userId, address, privateKey)
  return address
}

/**
 * Signs a request that has been checked against the deal. Deterministic (RFC 6979), so that
 * repeating a lost request sends the same bytes. Throws `other` if the key is not `address`'s.
 */
export async function sign(userId: number, address: string, { typedData }: Checked): Promise<string> {
  return withKey(userId, (key) => {
    if (addr.fromPrivateKey(key).toLowerCase() !== address.toLowerCase()) throw new WalletProblem('other')
    return signTyped(exact(typedData), hex(key), false)
  })
}

/** Integers as bigint, as the encoder wants them; a number that JSON may have rounded is refused. */
function exact(data: Checked['typedData']): Parameters<typeof signTyped>[0] {
  const domain = { ...data.domain }
  if (domain.chainId !== undefined) domain.chainId = exactValue('uint256', domain.chainId)
  const message = exactStruct(data.types, data.primaryType, data.message)
  return { ...data, domain, message } as unknown as Parameters<typeof signTyped>[0]
}

type Types = Checked['typedData']['types']

function exactStruct(types: Types, struct: string, message: Record<string, unknown>): Record<string, unknown> {
  const fields = types[struct] ?? []
  return Object.fromEntries(
    fields.map(({ name, type }) => {
      const value = message[name]
      return [name, types[type] ? exactStruct(types, type, value as Record<string, unknown>) : exactValue(type, value)]
    }),
  )
}

function exactValue(type: string, value: unknown): unknown {
  if (!type.startsWith('uint')) return value
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new WalletProblem('unsafe-number')
  return BigInt(value as string | number)
}

export function hex(value: Uint8Array): string {
  return `0x${Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

export function bytes(text: string): Uint8Array<ArrayBuffer> {
  const digits = text.replace(/^0x/, '')
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}
