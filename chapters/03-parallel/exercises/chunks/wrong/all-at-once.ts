// The checker says: With tasks that become shorter, 2 workers are done too late.
/** The first chunk of each worker is its share of what is left: nothing evens out what they differ in. */
import type { Range } from '../check.ts'

export function take(next: Int32Array, items: number, workers: number): Range | undefined {
  for (;;) {
    const from = Atomics.load(next, 0)
    if (from >= items) return undefined
    const to = from + Math.ceil((items - from) / workers)
    if (Atomics.compareExchange(next, 0, from, to) === from) return { from, to }
  }
}
