import type { Tone } from '@/components/StateTag.vue'
import type { Action } from '@/api/types'

const ENDED_WELL = ['released', 'completed', 'resolved_buyer', 'resolved_seller', 'resolved_split']
const ENDED = ['cancelled', 'expired', 'refunded']

/** Colour and shape of a trade's state, from the point of view of the person looking. */
export function toneOf(state: string, action: Action | null): Tone {
  if (state === 'disputed' || state === 'held') return 'harm'
  if (action && action !== 'wait') return 'act'
  if (ENDED_WELL.includes(state)) return 'done'
  return ENDED.includes(state) ? 'plain' : 'wait'
}

/** The coins have reached where they belong and nothing more will happen. */
export function isOver(state: string): boolean {
  return state === 'completed' || state === 'refunded' || state === 'cancelled'
}
