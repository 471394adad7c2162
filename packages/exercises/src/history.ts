/** Histories made shorter, for a reader to follow. */
import type { Step } from './exercise.ts'

/** Returns the history up to and including the last step that fits; all of it if none does. */
export function upTo(history: readonly Step[], isLast: (step: Step) => boolean): readonly Step[] {
  const at = history.findLastIndex(isLast)
  return at < 0 ? history : history.slice(0, at + 1)
}

/** Returns the history with steps that repeat the one before them as one: `polls (5×)`. */
export function merged(history: readonly Step[]): readonly Step[] {
  const steps: { step: Step; times: number }[] = []
  for (const step of history) {
    const last = steps.at(-1)
    const isSame = last && (['who', 'what', 'to', 'line'] as const).every((key) => last.step[key] === step[key])
    if (isSame) last.times++
    else steps.push({ step, times: 1 })
  }
  return steps.map(({ step, times }) => (times === 1 ? step : { ...step, what: `${step.what} (${times}×)` }))
}
