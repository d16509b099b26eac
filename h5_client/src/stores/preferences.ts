import { defineStore } from 'pinia'
import { ref, watch, watchEffect } from 'vue'
import { useLocalePreference, type Locale } from '@/i18n'

export type Theme = 'system' | 'light' | 'dark'

const STORAGE = 'otc-preferences'

interface Saved {
  locale?: Locale
  theme?: Theme
  redRises?: boolean
}

/** What a person chose about the looks of this device. Nothing of it is secret or goes to the server. */
export const usePreferences = defineStore('preferences', () => {
  const saved = read()
  const locale = useLocalePreference(saved.locale)
  const theme = ref<Theme>(saved.theme ?? 'system')
  const redRises = ref(saved.redRises ?? false)

  watchEffect(() => {
    const root = document.documentElement
    if (theme.value === 'system') delete root.dataset.theme
    else root.dataset.theme = theme.value
    root.dataset.rise = redRises.value ? 'red' : 'green'
  })
  watch([locale, theme, redRises], () => {
    write({ locale: locale.value, theme: theme.value, redRises: redRises.value })
  })
  return { locale, theme, redRises }
})

function read(): Saved {
  try {
    return JSON.parse(localStorage.getItem(STORAGE) ?? '{}') as Saved
  } catch {
    return {}
  }
}

function write(saved: Saved): void {
  try {
    localStorage.setItem(STORAGE, JSON.stringify(saved))
  } catch {
    // Private windows may refuse storage; the choice then lasts as long as the page.
  }
}
