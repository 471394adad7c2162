/** A mutex in one word of shared memory: 0 while it is free. */

type Memory = Int32Array<SharedArrayBuffer>

/** Takes the mutex. While another thread has it, the calling thread sleeps. */
export function lock(memory: Memory, at: number): void {
  // It was woken, or somebody was faster: in both cases it has to try again.
  while (Atomics.compareExchange(memory, at, 0, 1) !== 0) Atomics.wait(memory, at, 1)
}

/** Frees the mutex, and wakes one of the threads that sleep. */
export function unlock(memory: Memory, at: number): void {
  Atomics.store(memory, at, 0)
  Atomics.notify(memory, at, 1)
}
