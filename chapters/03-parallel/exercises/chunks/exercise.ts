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
export function take(_next: Int32Array, _items: number, _workers: number): Range | undefined {
  // Your code: how many of the tasks that are left?
  return undefined
}
