/**
 * Three ways to hand out the iterations of a loop to workers, as OpenMP names them:
 *
 * - static: each worker gets one equal, contiguous share before the work begins; nothing is coordinated;
 * - dynamic: whoever is free takes the next chunk of a fixed size, from a counter in shared memory;
 * - guided: the same with chunks that shrink with what is left, so that the last ones are small.
 */
import { meet } from '@repo/common/async/barrier'
import { divide, type Range } from '@repo/common/async/ranges'

export const schedules = ['static', 'dynamic', 'guided'] as const
export type Schedule = (typeof schedules)[number]

/** A loop over [0, items) that several workers share. */
export interface Loop {
  schedule: Schedule
  items: number
  workers: number
  /** Items in a chunk; for guided the fewest. */
  chunk: number
  /** The first item that nobody has taken, and how many workers have arrived at the start. */
  shared: Int32Array<SharedArrayBuffer>
}

export function sharedLoop(loop: Omit<Loop, 'shared'>): Loop {
  return { ...loop, shared: new Int32Array(new SharedArrayBuffer(8)) }
}

/** The chunks for one worker, each taken when it is asked for. Together the workers get every item exactly once. */
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
    // Only if nobody took it meanwhile.
    if (Atomics.compareExchange(shared, 0, from, to) === from) yield { from, to }
  }
}

/** Waits until all workers have arrived, so that none starts before the others. Blocks the thread. */
export function arrive({ shared, workers }: Loop): void {
  meet(shared, workers, 1)
}
