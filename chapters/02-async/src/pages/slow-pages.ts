/**
 * A slow web site: what its server and its clients agree on. Page n is the n-th State of the Union address; how long the
 * server takes for it, and what goes wrong, follows from a seed, so that a program can say beforehand how long it will take.
 * The latencies and the failures are simulated; the server, the sockets and the texts are real.
 */
import { randomFor } from '@repo/common/async/random'

/** What can happen to a request: the server hangs up, falls silent in the middle, sends a half, or never answers. */
export const faults = ['reset', 'stall', 'half', 'never'] as const
export type Fault = (typeof faults)[number]

export interface Site {
  seed: number
  /** The mean latency; pages take from half to one and a half times as long. */
  latencyMs: number
  /** The share of requests that go wrong, 0 to 1. */
  failRate: number
}

/** How long the server waits before it answers with a page. */
export function latencyOf({ seed, latencyMs }: Site, page: number): number {
  return latencyMs * (0.5 + randomFor(seed, page))
}

/** What goes wrong with the `attempt`-th request for a page, counted from 1; undefined when nothing does. */
export function faultOf({ seed, failRate }: Site, page: number, attempt: number): Fault | undefined {
  if (randomFor(seed, page, attempt) >= failRate) return undefined
  return faults[Math.floor(randomFor(seed, page, attempt, 1) * faults.length)]
}

export interface Theory {
  /** One page after the other. */
  sumMs: number
  /** All at once: the slowest page. */
  maxMs: number
  /** ceil(pages / limit) × mean latency: as if every page took the same time. */
  roundsMs: number
  /** `limit` at a time, each free place taking the next page of the list: the time until the last one is there. */
  makespanMs: number
}

/** How long pages take in theory, when nothing goes wrong and nothing but the server takes time. */
export function theoryOf(latencies: number[], limit: number): Theory {
  const sumMs = latencies.reduce((sum, ms) => sum + ms, 0)
  const freeAt = new Array<number>(Math.min(limit, latencies.length)).fill(0)
  for (const ms of latencies) {
    const first = freeAt.indexOf(Math.min(...freeAt))
    freeAt[first] = (freeAt[first] ?? 0) + ms
  }
  return {
    sumMs,
    maxMs: Math.max(...latencies),
    roundsMs: Math.ceil(latencies.length / limit) * (sumMs / latencies.length),
    makespanMs: Math.max(...freeAt),
  }
}
