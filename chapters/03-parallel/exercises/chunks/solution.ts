/** A loop of tasks that several workers share, each taking a chunk whenever it is free. */
import type { Range } from './check.ts'

/**
 * Takes the next chunk of a loop for one worker.
 *
 * @param next word 0 is the first task that no worker has taken; all workers share it
 * @param items the number of tasks in the loop, from 0
 * @param workers how many workers share the loop
 * @returns the tasks, from `from` to before `to`; undefined if there are none left
 */
export function take(next: Int32Array, items: number, workers: number): Range | undefined {
  for (;;) {
    const from = Atomics.load(next, 0)
    if (from >= items) return undefined
    // Twice: the first chunks of all workers leave half of the work, to even out what they differ in. Up: never 0.
    const to = from + Math.ceil((items - from) / (2 * workers))
    // If another worker was faster, there is less left.
    if (Atomics.compareExchange(next, 0, from, to) === from) return { from, to }
  }
}
