import { describe, expect, it, vi } from 'vitest'
import { clockOffset, learnServerTime } from '@/time/clock'
import { clockText, secondsLeft, urgency } from '@/time/countdown'
import { ago } from '@/time/words'

const NOW = Date.parse('2026-01-02T03:04:05.000Z')

describe('countdown', () => {
  it('counts whole seconds up to the deadline and stops at zero', () => {
    expect(secondsLeft('2026-01-02T03:04:35.000Z', NOW)).toBe(30)
    expect(secondsLeft('2026-01-02T03:04:05.001Z', NOW)).toBe(1)
    expect(secondsLeft('2026-01-02T03:00:00.000Z', NOW)).toBe(0)
  })
  it('reads as a clock', () => {
    expect(clockText(75)).toBe('01:15')
    expect(clockText(3675)).toBe('1:01:15')
    expect(clockText(2 * 86_400 + 3 * 3600)).toBe('2d 03:00:00')
  })
  it('presses in the last fifth', () => {
    expect(urgency(1800, 1800)).toBe('calm')
    expect(urgency(360, 1800)).toBe('soon')
    expect(urgency(120, null)).toBe('soon')
    expect(urgency(0, 1800)).toBe('over')
  })
})

describe('server clock', () => {
  it('follows the server, best measurement first', () => {
    learnServerTime(new Date(NOW + 60_000).toISOString(), NOW - 100, NOW + 100)
    expect(clockOffset.value).toBe(60_000)
    learnServerTime(new Date(NOW + 60_400).toISOString(), NOW - 500, NOW + 500)
    expect(clockOffset.value).toBe(60_000)
    learnServerTime(new Date(NOW + 60_010).toISOString(), NOW - 20, NOW + 20)
    expect(clockOffset.value).toBe(60_010)
  })
  it('notices that somebody set this device’s clock', () => {
    learnServerTime(new Date(NOW + 600_000).toISOString(), NOW - 500, NOW + 500)
    expect(clockOffset.value).toBe(600_000)
  })
  it('ignores nonsense', () => {
    learnServerTime('soon', NOW, NOW)
    expect(clockOffset.value).toBe(600_000)
  })
})

describe('ages', () => {
  it('are relative while recent', () => {
    expect(ago('2026-01-02T03:01:05.000Z', NOW, 'en')).toBe('3 min. ago')
    expect(ago('2026-01-02T03:04:06.000Z', NOW, 'en')).toBe('now')
    expect(ago('2025-12-01T00:00:00.000Z', NOW, 'en')).toBeNull()
  })
})
vi.useRealTimers()
