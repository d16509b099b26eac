import { ApiError } from '@/api/http'

/**
 * One thing a person does, sent at most once: the idempotency key and the exact body stay the same
 * until the server has answered, so that a retry after a lost answer is the same act.
 */
export class OneAct<Body> {
  private pending: { fingerprint: string; key: string; body: Body } | null = null

  /**
   * @param inputs what the person decided; other inputs make another act
   * @param build makes (and signs) the body; not called again for a retry
   */
  async send<Answer>(
    inputs: unknown,
    build: () => Promise<Body> | Body,
    deliver: (body: Body, key: string) => Promise<Answer>,
  ): Promise<Answer> {
    const fingerprint = JSON.stringify(inputs)
    if (this.pending?.fingerprint !== fingerprint) {
      this.pending = { fingerprint, key: newKey(), body: await build() }
    }
    const { key, body } = this.pending
    try {
      const answer = await deliver(body, key)
      this.pending = null
      return answer
    } catch (error) {
      if (error instanceof ApiError && !error.unanswered) this.pending = null
      throw error
    }
  }
}

function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
