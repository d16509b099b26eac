import { Locale as VantLocale } from 'vant'
import { computed, type WritableComputedRef } from 'vue'
import { createI18n } from 'vue-i18n'
import { en } from './en'

export type Locale = 'en' | 'zh-CN'
export const LOCALES: { code: Locale; name: string }[] = [
  { code: 'en', name: 'English' },
  { code: 'zh-CN', name: '简体中文' },
]

export const i18n = createI18n({
  legacy: false,
  locale: 'en',
  fallbackLocale: 'en',
  messages: { en } as Record<string, typeof en>,
  missingWarn: false,
  fallbackWarn: false,
})

/** Loads a language's words when first needed and shows them. */
export async function showLocale(locale: Locale): Promise<void> {
  if (locale === 'zh-CN' && !i18n.global.availableLocales.includes(locale)) {
    const [{ zh }, vant] = await Promise.all([import('./zh'), import('vant/es/locale/lang/zh-CN')])
    i18n.global.setLocaleMessage(locale, zh as unknown as typeof en)
    VantLocale.use(locale, vant.default)
  } else if (locale === 'zh-CN') {
    VantLocale.use(locale)
  } else {
    const vant = await import('vant/es/locale/lang/en-US')
    VantLocale.use('en-US', vant.default)
  }
  const shown = i18n.global.locale as unknown as { value: string }
  shown.value = locale
  document.documentElement.lang = locale
}

/** The saved choice, else the best match among the browser's languages. */
export function preferredLocale(saved?: string): Locale {
  const wishes = saved ? [saved] : navigator.languages
  const known = wishes.find((wish) => /^(en|zh)/i.test(wish))
  return known && /^zh/i.test(known) ? 'zh-CN' : 'en'
}

/** A reactive handle on the shown language for the settings screen. */
export function useLocalePreference(saved?: Locale): WritableComputedRef<Locale> {
  void showLocale(preferredLocale(saved))
  const shown = i18n.global.locale as unknown as { value: string }
  return computed({
    get: () => shown.value as Locale,
    set: (locale) => void showLocale(locale),
  })
}
