/** Time left until a deadline, in whole seconds rounded up, never negative. */
export function secondsLeft(deadline: string, nowMs: number): number {
  return Math.max(0, Math.ceil((Date.parse(deadline) - nowMs) / 1000))
}

/** 75 → "01:15", 3675 → "1:01:15", two days → "2d 03:00:00". */
export function clockText(seconds: number): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const days = Math.floor(seconds / 86_400)
  const hours = Math.floor((seconds % 86_400) / 3600)
  const rest = `${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`
  if (days) return `${days}d ${two(hours)}:${rest}`
  return hours ? `${hours}:${rest}` : rest
}

/** How pressing a deadline is: `over`, `soon` in the last fifth or the last two minutes, else `calm`. */
export function urgency(left: number, windowSeconds: number | null): 'calm' | 'soon' | 'over' {
  if (left === 0) return 'over'
  return left <= Math.max(120, (windowSeconds ?? 0) / 5) ? 'soon' : 'calm'
}
