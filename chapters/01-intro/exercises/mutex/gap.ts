// The checker says: lock returns without having touched the memory.
/** A mutex in one word of shared memory: 0 while it is free. */

type Memory = Int32Array<SharedArrayBuffer>

/** Takes the mutex. While another thread has it, the calling thread sleeps. */
export function lock(_memory: Memory, _at: number): void {
  // Your code: which operation looks and takes in one step?
}

/** Frees the mutex, and wakes one of the threads that sleep. */
export function unlock(_memory: Memory, _at: number): void {
  // Your code.
}
