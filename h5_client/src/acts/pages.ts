import { ref, shallowRef, type Ref } from 'vue'
import { problemOf, type Problem } from './problem'

/** A list read page by page; refreshing re-reads the first page and keeps the ones after it. */
export function usePages<Row extends { id: number }>(
  load: (before: number | undefined) => Promise<{ rows: Row[]; next: number | null }>,
): {
  rows: Ref<Row[] | null>
  problem: Ref<Problem | null>
  more: Ref<boolean>
  loadingMore: Ref<boolean>
  refresh: () => Promise<void>
  loadMore: () => Promise<void>
  reset: () => void
} {
  const rows = shallowRef<Row[] | null>(null)
  const problem = ref<Problem | null>(null)
  const more = ref(false)
  const loadingMore = ref(false)
  let next: number | null = null
  let round = 0

  async function refresh(): Promise<void> {
    const mine = round
    try {
      const page = await load(undefined)
      if (mine !== round) return
      const fresh = new Set(page.rows.map(({ id }) => id))
      const oldest = Math.min(...fresh)
      const first = rows.value === null
      const older = page.next === null ? [] : (rows.value ?? []).filter(({ id }) => !fresh.has(id) && id < oldest)
      rows.value = [...page.rows, ...older]
      if (first || !older.length) next = page.next
      more.value = next !== null
      problem.value = null
    } catch (error) {
      if (mine === round) problem.value = problemOf(error)
    }
  }

  async function loadMore(): Promise<void> {
    if (loadingMore.value || next === null) return
    loadingMore.value = true
    const mine = round
    try {
      const page = await load(next)
      if (mine !== round) return
      rows.value = [...(rows.value ?? []), ...page.rows]
      next = page.next
      more.value = next !== null
    } catch (error) {
      problem.value = problemOf(error)
    } finally {
      loadingMore.value = false
    }
  }

  function reset(): void {
    round++
    rows.value = null
    next = null
    more.value = false
  }
  return { rows, problem, more, loadingMore, refresh, loadMore, reset }
}
