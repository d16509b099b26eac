import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { api } from '@/api/client'
import type { Config } from '@/api/types'
import type { EscrowSite } from '@/wallet/typed-data'

/** The portal's public configuration, loaded once. */
export const useConfig = defineStore('config', () => {
  const config = ref<Config | null>(null)
  let loading: Promise<Config> | null = null

  async function load(): Promise<Config> {
    loading ??= api.config().catch((error: unknown) => {
      loading = null
      throw error
    })
    return (config.value = await loading)
  }

  const site = computed<EscrowSite | null>(() => {
    const chain = config.value?.chain
    return chain?.escrow ? { chainId: chain.chain_id, escrow: chain.escrow } : null
  })
  const isDemo = computed(() => config.value?.environment === 'demo')
  return { config, load, site, isDemo }
})
