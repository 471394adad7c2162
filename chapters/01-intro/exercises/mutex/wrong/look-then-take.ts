// The checker says: Both threads are inside at once.
/** Looks, and takes in a second step. */

type Memory = Int32Array<SharedArrayBuffer>

export function lock(memory: Memory, at: number): void {
  while (Atomics.load(memory, at) !== 0) Atomics.wait(memory, at, 1)
  Atomics.store(memory, at, 1)
}

export function unlock(memory: Memory, at: number): void {
  Atomics.store(memory, at, 0)
  Atomics.notify(memory, at, 1)
}
