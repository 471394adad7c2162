/**
 * A slow web site: what its server and its clients agree on. Page n is the n-th State of the Union address. The latency
 * of each page and the failure of each request follow from a seed, so that a program can compute its time beforehand.
 * The latencies and the failures are simulated; the server, the sockets and the texts are real.
 */
import { randomFor } from '@repo/common/async/random'
import { largest, smallest } from '@repo/common/extremes'

/** What can go wrong: the server hangs up, falls silent in the middle, sends half of the page, or never answers. */
export const faults = ['reset', 'stall', 'half', 'never'] as const
export type Fault = (typeof faults)[number]

export interface Site {
  seed: number
  /** The mean latency; a page takes half to one and a half times as long. */
  latencyMs: number
  /** The share of requests that go wrong, 0 to 1. */
  failRate: number
}

/** How many milliseconds the server waits before it answers with a page. */
export function latencyOf({ seed, latencyMs }: Site, page: number): number {
  return latencyMs * (0.5 + randomFor(seed, page))
}

/** What goes wrong with a request for a page, by its attempt from 1; undefined if nothing does. */
export function faultOf({ seed, failRate }: Site, page: number, attempt: number): Fault | undefined {
  if (randomFor(seed, page, attempt) >= failRate) return undefined
  return faults[Math.floor(randomFor(seed, page, attempt, 1) * faults.length)]
}

export interface Theory {
  /** One page after the other. */
  sumMs: number
  /** All at once: the slowest page. */
  maxMs: number
  /** ceil(pages / limit) × mean latency: the rule of thumb, as if every page took the same time. */
  roundsMs: number
  /** `limit` at a time: the time until the last page arrives if each free place takes the next page of the list. */
  makespanMs: number
}

/** How long pages take in theory: nothing goes wrong, and only the server takes time. */
export function theoryOf(latencies: number[], limit: number): Theory {
  const sumMs = latencies.reduce((sum, ms) => sum + ms, 0)
  // #region makespan
  // Each place begins with one page.
  const freeAt = latencies.slice(0, limit)
  for (const ms of latencies.slice(freeAt.length)) {
    const first = freeAt.indexOf(smallest(freeAt))
    freeAt[first] = (freeAt[first] ?? 0) + ms
  }
  // #endregion makespan
  return {
    sumMs,
    maxMs: largest(latencies),
    roundsMs: Math.ceil(latencies.length / limit) * (sumMs / latencies.length),
    makespanMs: largest(freeAt),
  }
}
