/** The waits before retries: exponential back-off with full jitter, like retry_backoff and retry_jitter in Celery. */
import { RetryLater } from './errors.ts'
import type { RetryPolicy } from './task.ts'

/**
 * Milliseconds until the next try: a random part of `baseMs · 2^(attempt − 1)`, at most `maxMs`. Without the random
 * part, tasks that failed together would all come back together.
 *
 * @param attempt how many tries have failed, from 1
 * @param random returns a number from 0 to below 1
 */
// #region backoff
export function backoffMs(
  attempt: number,
  { baseMs = 1_000, maxMs = 600_000, jitter = true }: Omit<RetryPolicy, 'max' | 'when'> = {},
  random: () => number = Math.random,
): number {
  // A larger power is Infinity, and 0 times that is NaN.
  const longest = Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 1_000))
  return Math.round(jitter ? random() * longest : longest)
}
// #endregion backoff

/** Answers BullMQ's question after a failure: milliseconds until the next try, or -1 to give up. */
export function retryDelayMs(attempt: number, error: Error, policy: RetryPolicy | undefined): number {
  if (error instanceof RetryLater) return error.afterMs
  return isWorthIt(error, policy) ? backoffMs(attempt, policy) : -1
}

/**
 * A `when` that throws itself, because the error has another form than it expected, has not said that it is. Nor has one
 * that returns a promise: what it fails with must not end the worker.
 */
function isWorthIt(error: Error, { when }: Pick<RetryPolicy, 'when'> = {}): boolean {
  try {
    if (!when) return true
    const answer: unknown = when(error)
    Promise.resolve(answer).catch(() => {})
    return answer === true
  } catch {
    return false
  }
}
