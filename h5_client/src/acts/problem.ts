import { ApiError } from '@/api/http'
import { i18n } from '@/i18n'
import { TypedDataMismatch } from '@/wallet/typed-data'
import { WalletProblem } from '@/wallet/problem'

/** An error as a screen shows it: what happened, what to do, and which field it is about. */
export interface Problem {
  text: string
  hint: string | null
  field: string | null
  code: string
}

export function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) return fromServer(error)
  const { t } = i18n.global
  if (error instanceof TypedDataMismatch) {
    return own(t('sign.mismatch', { field: error.field, expected: error.expected, found: error.found }), 'mismatch')
  }
  if (error instanceof WalletProblem) return own(t(`wallet.problem.${error.code}`), error.code)
  console.error(error)
  return own(t('error.unexpected'), 'unexpected')
}

function own(text: string, code: string): Problem {
  return { text, hint: null, field: null, code }
}

function fromServer(error: ApiError): Problem {
  const { t } = i18n.global
  const base = { field: error.field?.split('.').pop() ?? null, code: error.code, hint: error.hint }
  if (error.status === 0) return { ...base, text: t('error.offline'), hint: t('error.offlineHint') }
  if (error.status === 429 && error.retryAfter) {
    return { ...base, text: t('error.tooMany', { seconds: error.retryAfter }) }
  }
  if (error.code === 'unreadable') return { ...base, text: t('error.server'), hint: t('error.serverHint') }
  return { ...base, text: error.message }
}
