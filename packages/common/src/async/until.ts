/** Waiting for something to become true, instead of for a time. */
import { setTimeout as delay } from 'node:timers/promises'

export interface UntilOptions {
  /** 30 s. */
  timeoutMs?: number
  /** Ends the waiting with the signal's reason. */
  signal?: AbortSignal | undefined
  everyMs?: number
  /** What is waited for, for the error message. */
  what?: string
}

/**
 * Asks a condition again and again until it returns something true, and returns that.
 *
 * @throws an Error that says what was waited for, and what the condition returned or threw last, after the deadline
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 30_000, everyMs = 20, what = String(condition), signal }: UntilOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    let last: unknown
    try {
      const value = await condition()
      if (value) return value
      last = value
    } catch (error) {
      last = error
    }
    if (performance.now() >= deadline) {
      const cause = last instanceof Error ? { cause: last } : undefined
      throw new Error(`not within ${timeoutMs / 1000} s: ${what}; last: ${String(last)}`, cause)
    }
    await delay(everyMs, undefined, { signal })
  }
}
