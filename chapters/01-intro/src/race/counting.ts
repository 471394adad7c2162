/** What threads share when they count together, and what each of them is asked to do. */
import type { Mutex } from './mutex.ts'

/** In Int32 elements. A cache line is 64 bytes, often fetched in pairs, on most processors and 128 on Apple's. */
const cacheLine = 128 / Int32Array.BYTES_PER_ELEMENT

/** The memory of one run, all zero at first. Its parts lie on different cache lines. */
export interface Memory {
  /** Room for one counter per thread, each on a cache line of its own; the increment decides what lies where. */
  counters: Int32Array<SharedArrayBuffer>
  lock: Int32Array<SharedArrayBuffer>
  barrier: Int32Array<SharedArrayBuffer>
}

export function memoryFor(threads: number): Memory {
  const zeros = (length: number) => new Int32Array(new SharedArrayBuffer(4 * length))
  return { counters: zeros(threads * cacheLine), lock: zeros(cacheLine), barrier: zeros(cacheLine) }
}

/** The sum of all counters. */
export function total({ counters }: Memory): number {
  return counters.reduce((sum, counter) => sum + counter, 0)
}

/** What an increment may use. */
export interface Shared {
  counters: Int32Array<SharedArrayBuffer>
  /** From a thread's own counter to the next thread's, in elements of `counters`. */
  stride: number
  mutex: Mutex
  /** Returns when every thread has called it. */
  barrier: () => void
}

/**
 * Adds 1. A function cannot be sent to a thread, but its source text can: so an increment must use nothing but its
 * arguments, which are what the threads share and the number of this thread, from 0.
 */
export type Increment = (shared: Shared, thread: number) => unknown

/** What one thread is asked to do. */
export interface Counting {
  /** The source text of an `Increment`. */
  increment: string
  memory: Memory
  /** As in `Shared`. */
  stride: number
  threads: number
  /** The number of this thread, from 0. */
  thread: number
  /** How often it adds 1. */
  additions: number
}

/** When a thread added, in milliseconds on a clock that all threads share. */
export interface Span {
  from: number
  to: number
}
