import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import tokens from '../tokens.json'

const HOME = resolve(__dirname, '..')
const WRITTEN = ['src/styles/tokens.css', '../portal/backoffice/static/tokens.css']
const colors = tokens.color as unknown as Record<string, [string, string]>

/** WCAG 2 relative luminance of "#rrggbb". */
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5]
    .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

describe('design tokens', () => {
  it.each(tokens.contrast as [string, string, number][])('%s reads on %s at %f:1 in both themes', (front, back, least) => {
    for (const theme of [0, 1] as const) {
      expect(contrast(colors[front]![theme], colors[back]![theme])).toBeGreaterThanOrEqual(least)
    }
  })
  it('are what the written stylesheets hold', () => {
    const before = WRITTEN.map((path) => readFileSync(resolve(HOME, path), 'utf8'))
    const printed = execFileSync(process.execPath, [resolve(HOME, 'scripts/tokens.mjs'), '--print'], { encoding: 'utf8' })
    expect(printed).toBe(before.join('\n'))
  })
})
