import { defineStore } from 'pinia'
import { ref } from 'vue'
import { api } from '@/api/client'
import { ApiError, setCsrfToken, whenSignedOut } from '@/api/http'
import type { Me, Session } from '@/api/types'

/** Who is signed in. The session itself is a cookie that scripts cannot read. */
export const useSession = defineStore('session', () => {
  const user = ref<Me | null>(null)
  /** the session ended while in use, not by logging out */
  const expired = ref(false)
  let restoring: Promise<void> | null = null

  function accept(session: Session): void {
    setCsrfToken(session.csrf_token)
    user.value = session.user
    expired.value = false
  }

  function forget(): void {
    setCsrfToken(null)
    user.value = null
  }

  /** Asks the server once whether the cookie of an earlier visit still stands. */
  function restore(): Promise<void> {
    restoring ??= api
      .session()
      .then(accept)
      .catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 401) return
        restoring = null
        throw error
      })
    return restoring
  }

  async function logout(): Promise<void> {
    try {
      await api.logout()
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 401)) throw error
    }
    forget()
  }

  async function refresh(): Promise<void> {
    user.value = await api.me()
  }

  whenSignedOut(() => {
    expired.value = user.value !== null
    forget()
  })
  return { user, expired, accept, restore, logout, refresh }
})
