import { learnServerTime } from '@/time/clock'

/** What went wrong with a request, in the server's words where it had any. */
export class ApiError extends Error {
  constructor(
    /** HTTP status; 0 when no answer came */
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field: string | null = null,
    readonly hint: string | null = null,
    /** seconds until another try makes sense */
    readonly retryAfter: number | null = null,
  ) {
    super(message)
  }

  /** Nobody knows whether the server did it: the same act may be sent again under the same key. */
  get unanswered(): boolean {
    return this.status === 0 || this.status >= 500
  }
}

const PATIENCE_MS = 20_000
let csrfToken: string | null = null
let onSignedOut: () => void = () => undefined

export function setCsrfToken(token: string | null): void {
  csrfToken = token
}

/** Called when the server says that the session is over. */
export function whenSignedOut(handler: () => void): void {
  onSignedOut = handler
}

export interface Options {
  body?: unknown
  /** idempotency key of the act */
  key?: string
  /** a 401 is an ordinary answer here, not the end of a session */
  quiet401?: boolean
}

export async function request<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const sentAt = Date.now()
  const response = await send(method, path, options)
  const body = await readBody(response)
  if (!response.ok) throw refusal(response, body, options)
  if (hasServerTime(body)) learnServerTime(body.server_time, sentAt, Date.now())
  return body as T
}

async function send(method: string, path: string, { body, key }: Options): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  if (method !== 'GET' && csrfToken) headers['X-CSRF-Token'] = csrfToken
  if (key) headers['Idempotency-Key'] = key
  try {
    return await fetch(`/api/v1${path}`, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      credentials: 'same-origin',
      cache: 'no-store',
      signal: AbortSignal.timeout(PATIENCE_MS),
    })
  } catch {
    throw new ApiError(0, 'offline', 'offline')
  }
}

async function readBody(response: Response): Promise<unknown> {
  if (response.status === 204) return undefined
  try {
    return await response.json()
  } catch {
    if (response.ok) throw new ApiError(502, 'unreadable', 'unreadable')
    return undefined
  }
}

function refusal(response: Response, body: unknown, options: Options): ApiError {
  const error = (body as { error?: Record<string, string | null> } | undefined)?.error
  if (response.status === 401 && !options.quiet401) onSignedOut()
  const wait = Number(response.headers.get('Retry-After'))
  return new ApiError(
    response.status,
    error?.code ?? 'unreadable',
    error?.message ?? 'unreadable',
    error?.field ?? null,
    error?.hint ?? null,
    Number.isFinite(wait) && wait > 0 ? wait : null,
  )
}

function hasServerTime(body: unknown): body is { server_time: string } {
  return typeof (body as { server_time?: unknown } | null | undefined)?.server_time === 'string'
}

/** A path with a query string; null, undefined and empty values are left out. */
export function withQuery(path: string, query: Record<string, string | number | null | undefined>): string {
  const kept = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '')
  if (!kept.length) return path
  return `${path}?${new URLSearchParams(kept.map(([name, value]) => [name, String(value)]))}`
}
