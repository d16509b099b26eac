import { describe, expect, it, vi } from 'vitest'
import { OneAct } from '@/acts/act'
import { ApiError, request, setCsrfToken, whenSignedOut } from '@/api/http'

const lost = new ApiError(0, 'offline', 'offline')
const refused = new ApiError(422, 'invalid_input', 'No')

describe('one act', () => {
  it('keeps key and body over a lost answer, and builds (signs) only once', async () => {
    const act = new OneAct<object>()
    const build = vi.fn(() => ({ signed: Math.random() }))
    const deliver = vi.fn().mockRejectedValueOnce(lost).mockResolvedValue('done')
    await expect(act.send('same', build, deliver)).rejects.toBe(lost)
    expect(await act.send('same', build, deliver)).toBe('done')
    expect(build).toHaveBeenCalledTimes(1)
    expect(deliver.mock.calls[0]).toEqual(deliver.mock.calls[1])
    expect(deliver.mock.calls[0]![1]).toMatch(/^[A-Za-z0-9_-]{8,64}$/)
  })
  it('is another act after a refusal, a success, or with other inputs', async () => {
    const act = new OneAct<object>()
    const keys: string[] = []
    const deliver = (answer: Error | string) => (_body: object, key: string) => {
      keys.push(key)
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
    }
    await act.send('a', () => ({}), deliver(refused)).catch(() => undefined)
    await act.send('a', () => ({}), deliver('ok'))
    await act.send('a', () => ({}), deliver(lost)).catch(() => undefined)
    await act.send('b', () => ({}), deliver('ok'))
    expect(new Set(keys).size).toBe(4)
  })
})

describe('requests', () => {
  const answer = (status: number, body: unknown, headers: Record<string, string> = {}) =>
    vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response(JSON.stringify(body), { status, headers }))

  it('carry the CSRF token and the idempotency key on writes only', async () => {
    setCsrfToken('token')
    const fetched = answer(200, {})
    await request('POST', '/orders', { body: {}, key: 'k'.repeat(32) })
    await request('GET', '/orders')
    const [write, read] = fetched.mock.calls.map(([, init]) => init!.headers as Record<string, string>)
    expect(write).toMatchObject({ 'X-CSRF-Token': 'token', 'Idempotency-Key': 'k'.repeat(32) })
    expect(read).not.toHaveProperty('X-CSRF-Token')
  })
  it('turn refusals into errors with their field', async () => {
    answer(422, { error: { code: 'invalid_input', message: 'Too much.', field: 'quantity', hint: 'Less.' } })
    await expect(request('POST', '/orders')).rejects.toMatchObject({ status: 422, field: 'quantity', hint: 'Less.', unanswered: false })
  })
  it('say how long to wait', async () => {
    answer(429, { error: { code: 'too_many', message: 'Wait' } }, { 'Retry-After': '30' })
    await expect(request('POST', '/auth/login')).rejects.toMatchObject({ retryAfter: 30 })
  })
  it('end the session on 401, unless 401 is an ordinary answer', async () => {
    const out = vi.fn()
    whenSignedOut(out)
    answer(401, { error: { code: 'unauthorized', message: 'x' } })
    await expect(request('POST', '/auth/login', { quiet401: true })).rejects.toThrow()
    expect(out).not.toHaveBeenCalled()
    await expect(request('GET', '/me')).rejects.toThrow()
    expect(out).toHaveBeenCalledOnce()
  })
  it('count a broken connection as unanswered', async () => {
    vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('network'))
    await expect(request('GET', '/me')).rejects.toMatchObject({ status: 0, unanswered: true })
  })
})
