import { readonly, ref } from 'vue'

/**
 * The server's clock as seen from here. A phone's clock may be wrong by hours; deadlines are the
 * server's, so every answer that carries `server_time` corrects the difference.
 */
const offset = ref(0)
let bestTrip = Number.POSITIVE_INFINITY
const tick = ref(Date.now())

/** Learns from one answer. The shorter the round trip, the better the measurement. */
export function learnServerTime(iso: string, sentAt: number, receivedAt: number): void {
  const trip = receivedAt - sentAt
  const server = Date.parse(iso)
  if (!Number.isFinite(server) || trip < 0) return
  const measured = server - (sentAt + trip / 2)
  const moved = Math.abs(measured - offset.value) > trip / 2 + 2_000
  if (trip > bestTrip && !moved) return
  bestTrip = trip
  offset.value = measured
}

/** Server time in milliseconds; reactive, moves once a second. */
export function serverNow(): number {
  return tick.value + offset.value
}

export const clockOffset = readonly(offset)

let timer: ReturnType<typeof setTimeout> | undefined

/** Starts the one heartbeat of the page, on the server's full seconds so that all countdowns agree. */
export function startClock(): void {
  if (timer !== undefined) return
  const beat = () => {
    tick.value = Date.now()
    const intoSecond = (((tick.value + offset.value) % 1000) + 1000) % 1000
    timer = setTimeout(beat, 1000 - intoSecond + 5)
  }
  beat()
  document.addEventListener('visibilitychange', () => (tick.value = Date.now()))
}
