import { ref } from 'vue'
import type { Book } from './types'

/** `live`: pushed; `polling`: asked for every few seconds; `offline`: nothing gets through. */
export type Connection = 'connecting' | 'live' | 'polling' | 'offline'

export interface Changed {
  /** `all` after a reconnect of the server itself: anything may have changed */
  what: 'trade' | 'order' | 'balance' | 'all'
  id: number | null
}

interface Message {
  topic?: string
  type?: string
  data?: Book
  what?: Changed['what']
  id?: number | null
}

const SILENCE_MS = 30_000
const ANSWER_MS = 10_000
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 15_000

/** The websocket of the stream process: subscriptions survive reconnects, silence counts as a loss. */
export class Live {
  readonly state = ref<Connection>('connecting')
  private socket: WebSocket | null = null
  private readonly topics = new Map<string, Set<(message: Message) => void>>()
  private failures = 0
  private retry: ReturnType<typeof setTimeout> | undefined
  private watchdog: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly url: string,
    private readonly open: (url: string) => WebSocket = (address) => new WebSocket(address),
  ) {}

  connect(): void {
    clearTimeout(this.retry)
    this.drop()
    try {
      this.socket = this.open(this.url)
    } catch {
      this.lost()
      return
    }
    const mine = this.socket
    mine.onopen = () => this.opened()
    mine.onmessage = (event) => this.received(String(event.data))
    mine.onclose = () => mine === this.socket && this.lost()
  }

  /** Returns the function that ends the subscription. */
  subscribe(topic: string, handler: (message: Message) => void): () => void {
    const handlers = this.topics.get(topic) ?? new Set()
    const first = handlers.size === 0
    this.topics.set(topic, handlers.add(handler))
    if (first) this.say({ op: 'subscribe', topic })
    return () => {
      handlers.delete(handler)
      if (handlers.size) return
      this.topics.delete(topic)
      this.say({ op: 'unsubscribe', topic })
    }
  }

  book(market: string, handler: (book: Book) => void): () => void {
    return this.subscribe(`book:${market}`, (message) => message.data && handler(message.data))
  }

  mine(handler: (changed: Changed) => void): () => void {
    return this.subscribe('me', ({ type, what, id }) => {
      if (type === 'changed' && what) handler({ what, id: id ?? null })
    })
  }

  /** A new session means a new cookie, which only a new connection carries. */
  reconnect(): void {
    this.failures = 0
    this.connect()
  }

  /** An answer by HTTP came, or failed to: tells "polling" from "offline". */
  heardByHttp(ok: boolean): void {
    if (this.state.value !== 'live') this.state.value = ok ? 'polling' : 'offline'
  }

  private opened(): void {
    this.failures = 0
    this.state.value = 'live'
    this.listen()
    for (const topic of this.topics.keys()) this.say({ op: 'subscribe', topic })
  }

  private received(text: string): void {
    this.listen()
    const message = readMessage(text)
    if (!message?.topic) return
    for (const handler of this.topics.get(message.topic) ?? []) handler(message)
  }

  private listen(): void {
    clearTimeout(this.watchdog)
    this.watchdog = setTimeout(() => this.probe(), SILENCE_MS)
  }

  /** A quiet line may be a dead one. Any answer, a refusal too, shows that it lives. */
  private probe(): void {
    this.say({ op: 'ping' })
    this.watchdog = setTimeout(() => this.connect(), ANSWER_MS)
  }

  private lost(): void {
    clearTimeout(this.watchdog)
    this.socket = null
    if (this.state.value === 'live' || this.state.value === 'connecting') this.state.value = 'polling'
    const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.failures++)
    this.retry = setTimeout(() => this.connect(), wait * (0.75 + Math.random() / 2))
  }

  private drop(): void {
    const old = this.socket
    this.socket = null
    if (!old) return
    old.onopen = old.onmessage = old.onclose = null
    old.close()
  }

  private say(message: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message))
  }
}

function readMessage(text: string): Message | null {
  try {
    return JSON.parse(text) as Message
  } catch {
    return null
  }
}
