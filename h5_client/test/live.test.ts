import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Live } from '@/api/live'

class FakeSocket {
  static made: FakeSocket[] = []
  readyState = 0
  sent: unknown[] = []
  onopen: (() => void) | null = null
  onclose: (() => void) | null = null
  onmessage: ((event: { data: string }) => void) | null = null
  constructor() {
    FakeSocket.made.push(this)
  }
  open() {
    this.readyState = 1
    this.onopen?.()
  }
  send(text: string) {
    this.sent.push(JSON.parse(text))
  }
  close() {
    this.readyState = 3
    this.onclose?.()
  }
  receive(message: object) {
    this.onmessage?.({ data: JSON.stringify(message) })
  }
}
const latest = () => FakeSocket.made.at(-1)!
const start = () => {
  const live = new Live('ws://x', () => new FakeSocket() as unknown as WebSocket)
  live.connect()
  return live
}

beforeEach(() => {
  FakeSocket.made = []
  vi.useFakeTimers()
})
afterEach(() => void vi.useRealTimers())

describe('the live connection', () => {
  it('subscribes again after a reconnect', () => {
    const live = start()
    const seen = vi.fn()
    live.book('USDT-EUR', seen)
    latest().open()
    expect(live.state.value).toBe('live')
    latest().receive({ topic: 'book:USDT-EUR', type: 'snapshot', seq: 1, data: { seq: 1 } })
    latest().close()
    expect(live.state.value).toBe('polling')
    vi.advanceTimersByTime(2_000)
    latest().open()
    expect(latest().sent).toEqual([{ op: 'subscribe', topic: 'book:USDT-EUR' }])
    latest().receive({ topic: 'book:USDT-EUR', type: 'snapshot', seq: 2, data: { seq: 2 } })
    expect(seen).toHaveBeenCalledTimes(2)
  })
  it('asks a quiet line for a sign of life and leaves it without one', () => {
    start()
    latest().open()
    vi.advanceTimersByTime(30_000)
    expect(latest().sent).toEqual([{ op: 'ping' }])
    latest().receive({ error: { code: 'invalid_input' } })
    vi.advanceTimersByTime(15_000)
    expect(FakeSocket.made).toHaveLength(1)
    vi.advanceTimersByTime(30_000)
    expect(FakeSocket.made).toHaveLength(2)
  })
  it('waits longer from failure to failure', () => {
    start()
    for (let n = 0; n < 4; n++) {
      latest().close()
      vi.advanceTimersByTime(30_000)
    }
    const before = FakeSocket.made.length
    latest().close()
    vi.advanceTimersByTime(5_000)
    expect(FakeSocket.made).toHaveLength(before)
  })
  it('ends a subscription with its last listener, and survives nonsense', () => {
    const live = start()
    latest().open()
    const first = live.mine(() => undefined)
    const second = live.mine(() => undefined)
    first()
    second()
    expect(latest().sent).toEqual([
      { op: 'subscribe', topic: 'me' },
      { op: 'unsubscribe', topic: 'me' },
    ])
    latest().onmessage?.({ data: 'not json' })
  })
  it('tells offline from polling by what HTTP says', () => {
    const live = start()
    latest().close()
    live.heardByHttp(false)
    expect(live.state.value).toBe('offline')
    live.heardByHttp(true)
    expect(live.state.value).toBe('polling')
  })
})
