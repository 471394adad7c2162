/** Waits for a condition instead of for a time. */
import { setTimeout as delay } from 'node:timers/promises'
import { errorOf } from '../output/errors.ts'
import { longestMs, requireMs } from './timer.ts'

export interface UntilOptions {
  /** 30 s by default; Infinity waits for ever. */
  timeoutMs?: number
  /** Ends the waiting with the signal's reason. */
  signal?: AbortSignal | undefined
  /** The time between two calls of the condition; 20 ms by default. */
  everyMs?: number
  /** Names the condition in the error message. */
  what?: string
}

/**
 * Calls a condition again and again until it returns something truthy, and returns that. A condition that throws is
 * called again.
 *
 * @throws an Error after the deadline, which names the condition and what it returned or threw last
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 30_000, everyMs = 20, what = String(condition), signal }: UntilOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + requireMs(timeoutMs, 'timeoutMs')
  requireMs(everyMs, 'everyMs')
  for (;;) {
    let last: unknown
    try {
      const value = await condition()
      if (value) return value
      last = value
    } catch (error) {
      last = error
    }
    const leftMs = deadline - performance.now()
    if (leftMs <= 0) {
      const cause = last instanceof Error ? { cause: last } : undefined
      throw new Error(
        `not within ${timeoutMs / 1000} s: ${what}; last: ${last instanceof Error ? errorOf(last) : String(last)}`,
        cause,
      )
    }
    await delay(Math.min(everyMs, leftMs, longestMs), undefined, { signal })
  }
}
