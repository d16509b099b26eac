import { keccak_256 } from '@noble/hashes/sha3.js'
import { addr } from 'micro-eth-signer'
import { secureCrypto, withKey } from './key-store'
import { WalletProblem } from './problem'
import { adoptKey, bytes, hex } from './signer'

/**
 * Key backup in Ethereum's Web3 Secret Storage (version 3, PBKDF2): any wallet can open the file, so
 * getting at one's coins never depends on this portal. PBKDF2 because the browser runs it natively.
 */
export const ROUNDS = 600_000
export const LEAST_PASSPHRASE = 12

interface KeyFile {
  version: 3
  id: string
  address: string
  crypto: {
    cipher: 'aes-128-ctr'
    ciphertext: string
    cipherparams: { iv: string }
    kdf: 'pbkdf2'
    kdfparams: { c: number; dklen: 32; prf: 'hmac-sha256'; salt: string }
    mac: string
  }
}

/** The key of this device as a backup file's text. */
export async function exportKey(userId: number, passphrase: string): Promise<string> {
  return withKey(userId, async (key) => JSON.stringify(await lock(key, passphrase, ROUNDS), null, 1))
}

/** Reads a backup and keeps its key; `expected` is the address that the portal knows, if any. */
export async function importKey(
  userId: number,
  file: string,
  passphrase: string,
  expected: string | null,
): Promise<string> {
  const key = await unlock(readFile(file), passphrase)
  try {
    const address = addr.fromPrivateKey(key)
    if (expected && address.toLowerCase() !== expected.toLowerCase()) throw new WalletProblem('other')
    return await adoptKey(userId, key)
  } finally {
    key.fill(0)
  }
}

export async function lock(key: Uint8Array, passphrase: string, rounds: number): Promise<KeyFile> {
  const salt = crypto.getRandomValues(new Uint8Array(32))
  const iv = crypto.getRandomValues(new Uint8Array(16))
  const derived = await derive(passphrase, salt, rounds)
  const ciphertext = await cipher('encrypt', derived, iv, Uint8Array.from(key))
  return {
    version: 3,
    id: crypto.randomUUID(),
    address: bare(addr.fromPrivateKey(key).toLowerCase()),
    crypto: {
      cipher: 'aes-128-ctr',
      ciphertext: bare(hex(ciphertext)),
      cipherparams: { iv: bare(hex(iv)) },
      kdf: 'pbkdf2',
      kdfparams: { c: rounds, dklen: 32, prf: 'hmac-sha256', salt: bare(hex(salt)) },
      mac: mac(derived, ciphertext),
    },
  }
}

export async function unlock(file: KeyFile, passphrase: string): Promise<Uint8Array> {
  const { ciphertext, cipherparams, kdfparams, mac: expected } = file.crypto
  const derived = await derive(passphrase, bytes(kdfparams.salt), kdfparams.c)
  const sealed = bytes(ciphertext)
  if (mac(derived, sealed) !== expected.toLowerCase()) throw new WalletProblem('passphrase')
  return cipher('decrypt', derived, bytes(cipherparams.iv), sealed)
}

function readFile(text: string): KeyFile {
  try {
    const file = JSON.parse(text) as KeyFile
    const { kdf, kdfparams, cipher: name } = file.crypto
    const known = file.version === 3 && kdf === 'pbkdf2' && name === 'aes-128-ctr'
    if (known && kdfparams.prf === 'hmac-sha256' && kdfparams.c <= 10_000_000) return file
  } catch {
    throw new WalletProblem('file')
  }
  throw new WalletProblem('file')
}

async function derive(passphrase: string, salt: Uint8Array<ArrayBuffer>, rounds: number): Promise<Uint8Array> {
  const secret = new TextEncoder().encode(passphrase.normalize('NFKC'))
  const material = await secureCrypto().importKey('raw', secret, 'PBKDF2', false, ['deriveBits'])
  const how = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations: rounds }
  return new Uint8Array(await crypto.subtle.deriveBits(how, material, 256))
}

async function cipher(
  way: 'encrypt' | 'decrypt',
  derived: Uint8Array,
  iv: Uint8Array<ArrayBuffer>,
  data: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey('raw', derived.slice(0, 16), 'AES-CTR', false, [way])
  return new Uint8Array(await crypto.subtle[way]({ name: 'AES-CTR', counter: iv, length: 128 }, key, data))
}

function mac(derived: Uint8Array, ciphertext: Uint8Array): string {
  return bare(hex(keccak_256(Uint8Array.from([...derived.slice(16, 32), ...ciphertext]))))
}

const bare = (text: string) => text.replace(/^0x/, '')
