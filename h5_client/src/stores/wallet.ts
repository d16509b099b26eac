import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { api } from '@/api/client'
import type { TypedData } from '@/api/types'
import { storedAddress } from '@/wallet/key-store'
import { WalletProblem } from '@/wallet/problem'
import { checkWalletBinding, type Checked } from '@/wallet/typed-data'
import { useConfig } from './config'
import { useSession } from './session'

/**
 * `none`: no key yet; `unbound`: a key here that the portal does not know yet; `ready`;
 * `elsewhere`: the portal knows a key that is not on this device; `insecure`: this page may not keep keys.
 */
export type KeyState = 'unknown' | 'none' | 'unbound' | 'ready' | 'elsewhere' | 'insecure'

export const useWallet = defineStore('wallet', () => {
  const session = useSession()
  const config = useConfig()
  const local = ref<string | null>(null)
  const looked = ref<'no' | 'yes' | 'insecure'>('no')

  const state = computed<KeyState>(() => {
    if (looked.value === 'insecure') return 'insecure'
    if (looked.value === 'no' || !session.user) return 'unknown'
    const bound = session.user.wallet.address
    if (!bound) return local.value ? 'unbound' : 'none'
    return local.value?.toLowerCase() === bound.toLowerCase() ? 'ready' : 'elsewhere'
  })

  async function look(): Promise<void> {
    if (!session.user) return
    try {
      local.value = await storedAddress(session.user.id)
      looked.value = 'yes'
    } catch (error) {
      if (!(error instanceof WalletProblem)) throw error
      looked.value = 'insecure'
    }
  }

  /** Makes a key if there is none and has the portal bind it to this person. */
  async function createAndBind(): Promise<void> {
    const user = signedIn()
    const signer = await import('@/wallet/signer')
    const address = local.value ?? (await signer.createKey(user.id))
    local.value = address
    const { typed_data } = await api.walletDraft(address)
    const binding = checkWalletBinding(typed_data, { userId: user.id, address, site: config.site })
    const signature = await signer.sign(user.id, address, binding)
    session.user = await api.bindWallet(address, issuedAt(typed_data), signature)
  }

  /** Signs a checked request with this device's key; throws a WalletProblem when that is not possible. */
  async function sign(request: Checked): Promise<string> {
    await look()
    const user = signedIn()
    if (state.value === 'insecure') throw new WalletProblem('insecure')
    if (state.value !== 'ready' || !user.wallet.address) throw new WalletProblem('missing')
    const signer = await import('@/wallet/signer')
    return signer.sign(user.id, user.wallet.address, request)
  }

  async function exportKey(passphrase: string): Promise<string> {
    const backup = await import('@/wallet/backup')
    return backup.exportKey(signedIn().id, passphrase)
  }

  async function importKey(file: string, passphrase: string): Promise<void> {
    const user = signedIn()
    const backup = await import('@/wallet/backup')
    local.value = await backup.importKey(user.id, file, passphrase, user.wallet.address)
  }

  function signedIn() {
    if (!session.user) throw new WalletProblem('missing')
    return session.user
  }

  return { local, state, look, createAndBind, sign, exportKey, importKey }
})

function issuedAt(request: TypedData): number {
  const value = Number(request.message.issuedAt)
  if (!Number.isSafeInteger(value)) throw new WalletProblem('unsafe-number')
  return value
}
