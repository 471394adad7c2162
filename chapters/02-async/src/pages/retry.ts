/** Fetching over an unreliable network: a time-out for each attempt, and another attempt after a pause. */
import { sleep, timeLimit } from '@repo/common/async/timer'

export interface RetryOptions {
  /** How long an attempt may take; Infinity is no limit. */
  timeoutMs: number
  /** How many more attempts may follow the first. */
  retries: number
  /** The longest pause before the second attempt; it doubles with each further attempt. */
  backOffMs: number
  signal?: AbortSignal | undefined
}

/** What became of a page. */
export interface Fetched {
  /** Whether an attempt has succeeded. */
  ok: boolean
  /** The size of the page; 0 without one. */
  bytes: number
  /** What went wrong with each failed attempt, in order. */
  failures: string[]
  /** On the clock of `performance.now()`. */
  startMs: number
  endMs: number
}

/**
 * Attempts to fetch a page until it succeeds or no retry is left. It never throws because of a failed attempt, only
 * because `signal` is aborted.
 *
 * @param attempt makes one attempt, counted from 1, and gives up when the signal is aborted; returns the page's size
 */
export async function retry(
  attempt: (count: number, signal: AbortSignal) => Promise<number>,
  { timeoutMs, retries, backOffMs, signal }: RetryOptions,
): Promise<Fetched> {
  const startMs = performance.now()
  const failures: string[] = []
  const outcome = (ok: boolean, bytes = 0) => ({ ok, bytes, failures, startMs, endMs: performance.now() })
  // #region attempts
  for (let count = 1; ; count++) {
    try {
      return outcome(true, await attempt(count, timeLimit(timeoutMs, signal)))
    } catch (error) {
      signal?.throwIfAborted()
      failures.push(reasonOf(error, timeoutMs))
    }
    if (count > retries) return outcome(false)
    await sleep(backOff(count, backOffMs), signal)
  }
  // #endregion attempts
}

// #region back-off
/**
 * The pause after failure number `count`: a random time up to a bound that doubles ("full jitter"). Without randomness,
 * all clients that failed together would come back together.
 */
export function backOff(count: number, backOffMs: number, random = Math.random()): number {
  return random * backOffMs * 2 ** (count - 1)
}
// #endregion back-off

/**
 * The size of a page that a server has answered with. An answer with an error status arrives like any other, so `fetch`
 * does not throw: throws an Error that names the status.
 */
export async function sizeOf(response: Response): Promise<number> {
  const body = await response.arrayBuffer()
  if (!response.ok) throw new Error(`answered ${response.status}`)
  return body.byteLength
}

function reasonOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `no complete answer within ${timeoutMs} ms`
  const cause = error.cause as (Error & { code?: string }) | undefined
  if (cause?.code === 'ECONNRESET') return 'connection reset'
  if (error.message === 'terminated') return 'answer cut off'
  return cause?.message ?? error.message
}
