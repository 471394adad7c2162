/** When a failed task is tried again: exponential back-off with full jitter, as Celery's retry_backoff and retry_jitter. */
import { RetryLater } from './errors.ts'
import type { RetryPolicy } from './task.ts'

/**
 * Milliseconds until the next try: a random part of `baseMs · 2^(attempt − 1)`, at most `maxMs`, so that tasks which failed
 * together do not come back together.
 *
 * @param attempt how many tries have failed, from 1
 * @param random from 0 to below 1
 */
export function backoffMs(
  attempt: number,
  { baseMs = 1_000, maxMs = 600_000, jitter = true }: Omit<RetryPolicy, 'max' | 'when'> = {},
  random: () => number = Math.random,
): number {
  const longest = Math.min(maxMs, baseMs * 2 ** (attempt - 1))
  return Math.round(jitter ? random() * longest : longest)
}

/** What BullMQ asks after a failure: milliseconds until the next try, or -1 for none. */
export function retryDelayMs(attempt: number, error: Error, policy: RetryPolicy | undefined): number {
  if (error instanceof RetryLater) return error.afterMs
  if (policy?.when && !policy.when(error)) return -1
  return backoffMs(attempt, policy)
}
