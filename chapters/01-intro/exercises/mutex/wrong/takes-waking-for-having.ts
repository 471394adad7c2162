// The checker says: Both threads are inside at once.
/** Believes that the thread which wakes up has the mutex. */

type Memory = Int32Array<SharedArrayBuffer>

export function lock(memory: Memory, at: number): void {
  if (Atomics.compareExchange(memory, at, 0, 1) !== 0) Atomics.wait(memory, at, 1)
}

export function unlock(memory: Memory, at: number): void {
  Atomics.store(memory, at, 0)
  Atomics.notify(memory, at, 1)
}
