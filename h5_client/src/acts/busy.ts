import { computed, ref, type Ref } from 'vue'
import { problemOf, type Problem } from './problem'

/** Runs one thing at a time and keeps what went wrong, for buttons that must not fire twice. */
export function useBusy(): {
  busy: Ref<boolean>
  problem: Ref<Problem | null>
  fieldProblem: (name: string) => string | undefined
  run: <A>(work: () => Promise<A>) => Promise<A | undefined>
} {
  const running = ref(false)
  const problem = ref<Problem | null>(null)

  async function run<A>(work: () => Promise<A>): Promise<A | undefined> {
    if (running.value) return undefined
    running.value = true
    problem.value = null
    try {
      return await work()
    } catch (error) {
      problem.value = problemOf(error)
      return undefined
    } finally {
      running.value = false
    }
  }

  const fieldProblem = (name: string) => (problem.value?.field === name ? problem.value.text : undefined)
  return { busy: computed({ get: () => running.value, set: (on) => (running.value = on) }), problem, fieldProblem, run }
}
