import { showToast } from 'vant'
import { i18n } from '@/i18n'

/** Copies to the clipboard and says so; where the browser forbids it, says that instead. */
export async function copyText(text: string): Promise<void> {
  const { t } = i18n.global
  try {
    await navigator.clipboard.writeText(text)
    showToast(t('copy.done'))
  } catch {
    showToast(t('copy.failed'))
  }
}
