/**
 * Three ways to hand out the iterations of a loop to workers, by the names that OpenMP gave them:
 *
 * - static: each worker gets one contiguous share of equal size before the work begins; nothing is coordinated;
 * - dynamic: a free worker takes the next chunk, all of one size, from a counter in shared memory;
 * - guided: the same with chunks that shrink with what is left, so that the last ones are small.
 */
import { meet } from '@repo/common/async/barrier'
import { divide, type Range } from '@repo/common/async/ranges'
import { largest } from '@repo/common/extremes'

export const schedules = ['static', 'dynamic', 'guided'] as const
export type Schedule = (typeof schedules)[number]

/** A loop over [0, items) that several workers share. */
export interface Loop {
  schedule: Schedule
  items: number
  workers: number
  /** Items in a chunk; for guided, in the smallest chunk. */
  chunk: number
  /** The first item not yet taken, and how many workers have arrived at the start. */
  shared: Int32Array<SharedArrayBuffer>
}

const mostItems = 2 ** 31 - 1

/** @throws a RangeError for numbers with which the workers would never get to the end */
export function sharedLoop(loop: Omit<Loop, 'shared'>): Loop {
  for (const [name, least] of Object.entries({ items: 0, workers: 1, chunk: 1 })) {
    const received = loop[name as 'items' | 'workers' | 'chunk']
    if (!(Number.isInteger(received) && received >= least && received <= mostItems)) {
      throw new RangeError(`${name}: received ${received}; accepts a whole number from ${least} to ${mostItems}`)
    }
  }
  return { ...loop, shared: new Int32Array(new SharedArrayBuffer(8)) }
}

/** Waits until all workers have arrived, so that none starts before the others. Blocks the thread. */
export function arrive({ shared, workers }: Loop): void {
  meet(shared, workers, 1)
}

/** The chunks of one worker, each taken when it is asked for. Together the workers get every item exactly once. */
// #region chunks
export function* chunksFor({ schedule, items, workers, chunk, shared }: Loop, worker: number): Generator<Range> {
  if (schedule === 'static') {
    const share = divide({ from: 0, to: items }, workers)[worker]
    if (share && share.from < share.to) yield share
    return
  }
  for (;;) {
    const from = Atomics.load(shared, 0)
    if (from >= items) return
    const size = schedule === 'dynamic' ? chunk : Math.max(chunk, Math.floor((items - from) / (2 * workers)))
    const to = Math.min(items, from + size)
    // Takes the chunk only if no other worker has moved the counter meanwhile.
    if (Atomics.compareExchange(shared, 0, from, to) === from) yield { from, to }
  }
}
// #endregion chunks

/** What a worker did for a loop. Times are in ms since the epoch, a clock that all threads share. */
export interface WorkerLog {
  worker: number
  primes: number
  chunks: (Range & { beginMs: number; endMs: number })[]
}

/** The share of the workers' time in which they had no chunk, until the last one ended. */
export function idleShare(logs: readonly WorkerLog[]): number {
  const busy = logs.map(({ chunks }) => chunks.reduce((sum, { beginMs, endMs }) => sum + endMs - beginMs, 0))
  return 1 - busy.reduce((sum, ms) => sum + ms, 0) / (logs.length * largest(busy))
}
