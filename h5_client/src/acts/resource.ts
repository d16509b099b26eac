import { onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'
import { ApiError } from '@/api/http'
import type { Changed } from '@/api/live'
import { useLive } from '@/stores/live'
import { problemOf, type Problem } from './problem'

export interface Resource<A> {
  data: Ref<A | null>
  /** why the latest refresh failed; `data` then still holds the last good answer */
  problem: Ref<Problem | null>
  loading: Ref<boolean>
  refresh: () => Promise<void>
}

/** Something read from the server that may be read again; late answers never replace newer ones. */
export function useResource<A>(load: () => Promise<A>): Resource<A> {
  const data = shallowRef<A | null>(null)
  const problem = ref<Problem | null>(null)
  const loading = ref(false)
  const live = useLive()
  let latest = 0

  async function refresh(): Promise<void> {
    const mine = ++latest
    loading.value = true
    try {
      const answer = await load()
      if (mine === latest) [data.value, problem.value] = [answer, null]
      live.live?.heardByHttp(true)
    } catch (error) {
      if (mine === latest) problem.value = problemOf(error)
      if (error instanceof ApiError && error.status === 0) live.live?.heardByHttp(false)
    } finally {
      if (mine === latest) loading.value = false
    }
  }
  return { data, problem, loading, refresh }
}

const POLL_MS = 3_000
const SAFETY_MS = 15_000

/**
 * Keeps something fresh: at once, whenever the page comes back into view, every 3 seconds while
 * there is no live connection, and rarely even with one, so that a lost message heals itself.
 */
export function useFreshness(refresh: () => unknown, changed?: (change: Changed) => boolean): void {
  const live = useLive()
  let timer: ReturnType<typeof setTimeout> | undefined
  let stop: (() => void) | undefined
  let ended = false

  const again = async () => {
    clearTimeout(timer)
    if (document.visibilityState === 'visible') await refresh()
    clearTimeout(timer)
    if (!ended) timer = setTimeout(again, live.state === 'live' ? SAFETY_MS : POLL_MS)
  }
  const visible = () => document.visibilityState === 'visible' && void again()
  const listen = () => {
    stop?.()
    stop = changed && live.live?.mine((change) => (change.what === 'all' || changed(change)) && void again())
  }

  watch(() => live.live, listen, { immediate: true })
  watch(
    () => live.state,
    (now) => now === 'live' && void again(),
  )
  document.addEventListener('visibilitychange', visible)
  void again()
  onScopeDispose(() => {
    ended = true
    clearTimeout(timer)
    stop?.()
    document.removeEventListener('visibilitychange', visible)
  })
}
