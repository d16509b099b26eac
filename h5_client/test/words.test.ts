import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { en } from '@/i18n/en'
import { zh } from '@/i18n/zh'

const SOURCES = join(__dirname, '../src')
const source = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(vue|ts)$/.test(name) && !name.startsWith('i18n/'))
  .map((name) => readFileSync(join(SOURCES, name), 'utf8'))
  .join('\n')

function flat(words: object, prefix = ''): Map<string, string> {
  return new Map(
    Object.entries(words).flatMap(([name, value]) =>
      typeof value === 'string' ? [[`${prefix}${name}`, value] as const] : [...flat(value as object, `${prefix}${name}.`)],
    ),
  )
}
const english = flat(en)
const chinese = flat(zh)
const holes = (text: string) => [...new Set(text.match(/\{\w+\}/g))].sort().join()

describe('words', () => {
  it('exist for every key that the screens name', () => {
    const used = [...source.matchAll(/\bt\('([\w.]+)'/g)].map(([, key]) => key!)
    expect(used.length).toBeGreaterThan(150)
    expect(used.filter((key) => !english.has(key))).toEqual([])
  })
  it('are the same set in both languages, with the same blanks', () => {
    expect([...chinese.keys()].sort()).toEqual([...english.keys()].sort())
    const different = [...english].filter(([key, text]) => holes(text) !== holes(chinese.get(key) ?? ''))
    expect(different.map(([key]) => key)).toEqual([])
  })
  it('are Chinese in Chinese', () => {
    const untranslated = [...chinese].filter(([key, text]) => !/[\u4e00-\u9fff]/.test(text) && text === english.get(key))
    expect(untranslated.map(([key]) => key)).toEqual(['accounts.field.iban', 'accounts.field.bic'])
  })
})
