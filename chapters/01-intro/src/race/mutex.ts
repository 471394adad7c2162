/**
 * A mutual exclusion lock for threads: the third mutex in Ulrich Drepper, "Futexes are tricky", 2011, built on
 * Atomics.wait and Atomics.notify, which are JavaScript's futex.
 *
 * Its state is one number in shared memory: 0 is unlocked; 1 is locked, and no thread waits; 2 is locked, and some
 * thread may be waiting. The third state saves the unlocking thread a call to the operating system when no thread
 * waits.
 */
const unlocked = 0
const locked = 1
const contended = 2

export class Mutex {
  readonly #state: Int32Array<SharedArrayBuffer>
  readonly #at: number

  /** @param at the lock's place in `state`, 0 at first; every thread makes its own Mutex over the same place */
  constructor(state: Int32Array<SharedArrayBuffer>, at = 0) {
    this.#state = state
    this.#at = at
  }

  // #region lock
  /** Waits until this thread has the lock. It is not reentrant: a thread that locks twice waits for itself for ever. */
  lock(): void {
    if (Atomics.compareExchange(this.#state, this.#at, unlocked, locked) === unlocked) return
    // A thread that has waited takes the lock as contended: it cannot know whether others are still waiting.
    while (Atomics.exchange(this.#state, this.#at, contended) !== unlocked) {
      // Returns at once if the state is no longer `contended`, so this thread cannot miss an unlock just before it.
      Atomics.wait(this.#state, this.#at, contended)
    }
  }

  /** Only the thread that has the lock may call this. */
  unlock(): void {
    if (Atomics.exchange(this.#state, this.#at, unlocked) === contended) Atomics.notify(this.#state, this.#at, 1)
  }
  // #endregion lock
}
