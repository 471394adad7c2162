/** Waits for a condition instead of for a time. */
import { errorOf } from '../output/errors.ts'
import { after, requireMs, sleep } from './timer.ts'

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
 * called again. One that does not answer is waited for until the deadline, or until the signal is aborted.
 *
 * @throws an Error after the deadline, which names the condition and what it returned or threw last; the signal's reason,
 *   if it is aborted
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 30_000, everyMs = 20, what = String(condition), signal }: UntilOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + requireMs(timeoutMs, 'timeoutMs')
  const leftMs = () => Math.max(0, deadline - performance.now())
  requireMs(everyMs, 'everyMs')
  signal?.throwIfAborted()
  let last: unknown = 'no answer'
  for (;;) {
    try {
      const answer = await within(leftMs(), condition, signal)
      if (answer?.value) return answer.value
      if (answer) last = answer.value
    } catch (error) {
      last = error
    }
    if (leftMs() === 0) {
      const cause = last instanceof Error ? { cause: last } : undefined
      throw new Error(
        `not within ${timeoutMs / 1000} s: ${what}; last: ${last instanceof Error ? errorOf(last) : String(last)}`,
        cause,
      )
    }
    await sleep(Math.min(everyMs, leftMs()), signal)
  }
}

/**
 * Calls a function and returns what it returns; undefined if that takes longer than `ms`.
 *
 * @throws what it throws, or the signal's reason
 */
export async function within<T>(
  ms: number,
  call: () => T | Promise<T>,
  signal?: AbortSignal,
): Promise<{ value: T } | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<{ value: T } | undefined>()
  // Asked first: a condition may look at what is open in this process, and must not see the timer.
  const ask = async () => resolve({ value: await call() })
  ask().catch(reject)
  using _timer = after(ms, () => resolve(undefined))
  const abort = () => reject(signal?.reason)
  signal?.addEventListener('abort', abort)
  return await promise.finally(() => signal?.removeEventListener('abort', abort))
}
