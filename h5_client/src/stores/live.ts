import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'
import { Live, type Connection } from '@/api/live'

/** The page's one live connection. */
export const useLive = defineStore('live', () => {
  const live = shallowRef<Live | null>(null)
  const state = computed<Connection>(() => live.value?.state.value ?? 'connecting')

  function start(url: string): void {
    if (live.value) return
    live.value = new Live(url)
    live.value.connect()
    window.addEventListener('online', () => live.value?.reconnect())
  }

  return { live, state, start }
})
