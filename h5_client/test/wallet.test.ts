import 'fake-indexeddb/auto'
import { webcrypto } from 'node:crypto'
import { addr, recoverAddressTyped } from 'micro-eth-signer'
import { beforeAll, describe, expect, it } from 'vitest'
import { lock, unlock } from '@/wallet/backup'
import { storedAddress, withKey } from '@/wallet/key-store'
import { bytes, createKey, hex, sign } from '@/wallet/signer'
import { STRUCTS } from '@/wallet/structs'
import type { Terms } from '@/wallet/terms'
import { checkMarkPaid } from '@/wallet/typed-data'
import vectors from './trade-ids.json'

const ESCROW = '0x5FbDB2315678afecb367f032d93F642f64180aa3'
const terms = vectors[0]!.terms as Terms
const described = (struct: 'MarkPaid' | 'Terms') => STRUCTS[struct].map(([name, type]) => ({ name, type }))

beforeAll(() => {
  Object.defineProperty(globalThis, 'crypto', { value: webcrypto, configurable: true })
})

describe('the key of this device', () => {
  it('stays in the store and signs what was checked, the same bytes every time', async () => {
    const address = await createKey(7)
    expect(await storedAddress(7)).toBe(address)
    expect(await storedAddress(8)).toBeNull()
    const request = {
      domain: { name: 'OTC Portal Escrow', version: '1', chainId: 31337, verifyingContract: ESCROW },
      types: { MarkPaid: described('MarkPaid'), Terms: described('Terms') },
      primaryType: 'MarkPaid',
      message: { terms },
    }
    const deal = { terms, buyer: 'bob', seller: 'alice', now: 0, asset: 'USDT', places: 6 }
    const checked = checkMarkPaid(request, { chainId: 31337, escrow: ESCROW }, deal)
    const signature = await sign(7, address, checked)
    expect(signature).toMatch(/^0x[0-9a-f]{130}$/)
    expect(await sign(7, address, checked)).toBe(signature)
    const data = { ...checked.typedData, domain: { ...checked.typedData.domain, chainId: 31337n } }
    expect(recoverAddressTyped(signature, data as never)).toBe(address)
    await expect(sign(7, `0x${'11'.repeat(20)}`, checked)).rejects.toMatchObject({ code: 'other' })
    await expect(sign(8, address, checked)).rejects.toMatchObject({ code: 'missing' })
  })
  it('is wiped after use', async () => {
    const seen = await withKey(7, (key) => key)
    expect([...seen].every((byte) => byte === 0)).toBe(true)
  })
})

describe('a backup', () => {
  it('opens with its passphrase and with no other', async () => {
    const { privateKey } = addr.random()
    const file = await lock(bytes(privateKey), 'correct horse battery', 1000)
    expect(hex(await unlock(file, 'correct horse battery'))).toBe(privateKey)
    await expect(unlock(file, 'correct horse batterz')).rejects.toMatchObject({ code: 'passphrase' })
  })
  it('is Ethereum’s own format: the published PBKDF2 vector opens', async () => {
    const file = {
      version: 3 as const,
      id: '3198bc9c-6672-5ab3-d995-4942343ae5b6',
      address: '008aeeda4d805471df9b2a5b0f38a0c3bcba786b',
      crypto: {
        cipher: 'aes-128-ctr' as const,
        cipherparams: { iv: '6087dab2f9fdbbfaddc31a909735c1e6' },
        ciphertext: '5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46',
        kdf: 'pbkdf2' as const,
        kdfparams: { c: 262144, dklen: 32 as const, prf: 'hmac-sha256' as const, salt: 'ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd' },
        mac: '517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2',
      },
    }
    expect(hex(await unlock(file, 'testpassword'))).toBe('0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d')
  })
})
