/** Threads that add to a counter in shared memory, in ways that are right and in one that is not. */
import { Mutex } from './mutex.ts'

/** In the order in which they are shown. */
export const ways = ['unprotected', 'atomic', 'mutex', 'adjacent', 'padded'] as const
export type Way = (typeof ways)[number]

/**
 * A cache line is 64 bytes on most processors and 128 on Apple's; others fetch lines of 64 in pairs. In Int32 elements.
 */
const cacheLine = 128 / Int32Array.BYTES_PER_ELEMENT

export interface Counting {
  way: Way | 'in step'
  threads: number
  /** How often each thread adds 1. */
  additions: number
  memory: Memory
}

/** What the threads share. Each part lies on cache lines of its own. */
export interface Memory {
  /** One counter, or one for each thread, as the way has it. */
  counters: Int32Array<SharedArrayBuffer>
  lock: Int32Array<SharedArrayBuffer>
  barrier: Int32Array<SharedArrayBuffer>
}

/** Memory for so many threads, all zero. */
export function memoryFor(threads: number): Memory {
  const zeros = (length: number) => new Int32Array(new SharedArrayBuffer(4 * length))
  return { counters: zeros(threads * cacheLine), lock: zeros(cacheLine), barrier: zeros(2 * cacheLine) }
}

/** What the counters amount to. */
export function total({ counters }: Memory): number {
  return counters.reduce((sum, counter) => sum + counter, 0)
}

/** When a thread added, in milliseconds of a clock that all threads share. */
export interface Span {
  from: number
  to: number
}

/** Waits for the other threads, adds to the counters in the given way, and returns when that was. */
export function count({ way, threads, additions, memory }: Counting, thread: number): Span {
  waitForAll(memory.barrier, 0, threads)
  const from = now()
  if (way === 'in step') addInStep(memory, threads)
  else add[way](memory, additions, thread)
  return { from, to: now() }
}

// Each thread's performance.now() counts from that thread's own start; this clock is one for all.
const now = () => Number(process.hrtime.bigint()) / 1e6

const add: Record<Way, (memory: Memory, additions: number, thread: number) => void> = {
  // Three steps: read, add, write. What another thread writes between the first and the last is lost.
  unprotected({ counters }, additions) {
    for (let i = 0; i < additions; i++) counters[0]++
  },

  // One step for the processor: the cache line stays with this core until it is done.
  atomic({ counters }, additions) {
    for (let i = 0; i < additions; i++) Atomics.add(counters, 0, 1)
  },

  mutex({ counters, lock }, additions) {
    const mutex = new Mutex(lock)
    for (let i = 0; i < additions; i++) {
      mutex.lock()
      counters[0]++
      mutex.unlock()
    }
  },

  // A counter for each thread, side by side: right, but the cores take the cache line they lie on from each other.
  adjacent({ counters }, additions, thread) {
    for (let i = 0; i < additions; i++) counters[thread]++
  },

  // A counter for each thread, each on a cache line of its own.
  padded({ counters }, additions, thread) {
    const own = thread * cacheLine
    for (let i = 0; i < additions; i++) counters[own]++
  },
}

/** One addition by each thread, forced into the worst order: all read before any writes. */
function addInStep({ counters, barrier }: Memory, threads: number): void {
  const read = counters[0]
  waitForAll(barrier, cacheLine, threads)
  counters[0] = read + 1
}

/**
 * A barrier for one use: returns when as many threads have come. They sleep meanwhile: threads that are woken together are
 * spread over the cores, while one that spun would hold the core the next one may be waiting for.
 */
function waitForAll(barrier: Int32Array<SharedArrayBuffer>, at: number, threads: number): void {
  let arrived = Atomics.add(barrier, at, 1) + 1
  if (arrived === threads) Atomics.notify(barrier, at)
  for (; arrived < threads; arrived = Atomics.load(barrier, at)) Atomics.wait(barrier, at, arrived)
}
