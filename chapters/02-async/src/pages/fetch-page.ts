/** One page over an unreliable network: with a time-out for each attempt, and another attempt after a pause. */
import { setTimeout as delay } from 'node:timers/promises'

export interface FetchOptions {
  /** How long an attempt may take, from the first byte sent to the last byte read. */
  timeoutMs: number
  /** How many more attempts there may be after the first. */
  retries: number
  /** The longest pause before the second attempt; it doubles with each further one. */
  backOffMs: number
  signal?: AbortSignal | undefined
}

export interface Page {
  page: number
  /** Of the answer; 0 without one. */
  bytes: number
  /** What went wrong with each attempt that failed, in their order. */
  failures: string[]
  /** Whether the page is there in the end. */
  ok: boolean
  /** On the clock of `performance.now()`. */
  startMs: number
  endMs: number
}

/** Fetches a page. A page that cannot be had is returned as such; only an aborted `signal` is thrown. */
export async function fetchPage(
  url: string,
  page: number,
  { timeoutMs, retries, backOffMs, signal }: FetchOptions,
): Promise<Page> {
  const startMs = performance.now()
  const failures: string[] = []
  for (let attempt = 1; ; attempt++) {
    try {
      const timeout = AbortSignal.timeout(timeoutMs)
      const response = await fetch(`${url}/pages/${page}/${attempt}`, {
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      })
      // The time-out holds for the body too: a server can stall in the middle of it.
      const { byteLength } = await response.arrayBuffer()
      return { page, bytes: byteLength, failures, ok: true, startMs, endMs: performance.now() }
    } catch (error) {
      signal?.throwIfAborted()
      failures.push(reasonOf(error, timeoutMs))
    }
    if (attempt > retries) return { page, bytes: 0, failures, ok: false, startMs, endMs: performance.now() }
    await delay(backOff(attempt, backOffMs), undefined, { signal })
  }
}

/**
 * How long to wait after the `attempt`-th failure: a random time up to a bound that doubles ("full jitter"). Without the
 * randomness all clients that failed together would come back together.
 */
export function backOff(attempt: number, backOffMs: number, random = Math.random()): number {
  return random * backOffMs * 2 ** (attempt - 1)
}

function reasonOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `no complete answer within ${timeoutMs} ms`
  const cause = error.cause as (Error & { code?: string }) | undefined
  if (cause?.code === 'ECONNRESET') return 'connection reset'
  if (error.message === 'terminated') return 'answer cut off'
  return cause?.message ?? error.message
}
