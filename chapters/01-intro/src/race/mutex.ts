/**
 * A mutual exclusion lock for threads: the third one in Ulrich Drepper, "Futexes are tricky", 2011, on Atomics.wait and
 * Atomics.notify, which are JavaScript's futex.
 *
 * Its state is one number in shared memory: 0 unlocked; 1 locked, nobody waits; 2 locked, somebody may be waiting. The
 * third state saves the unlocking thread a call to the operating system when nobody waits.
 */
const unlocked = 0
const locked = 1
const contended = 2

export class Mutex {
  readonly #state: Int32Array<SharedArrayBuffer>
  readonly #at: number

  /** @param at where in `state` the lock lies; every thread makes a Mutex of its own over the same place, zero at first */
  constructor(state: Int32Array<SharedArrayBuffer>, at = 0) {
    this.#state = state
    this.#at = at
  }

  /** Waits until this thread has the lock. It is not reentrant: a thread that locks twice waits for itself for ever. */
  lock(): void {
    if (Atomics.compareExchange(this.#state, this.#at, unlocked, locked) === unlocked) return
    // Who has waited once takes the lock as contended: it cannot know whether it was the only one that waited.
    while (Atomics.exchange(this.#state, this.#at, contended) !== unlocked) {
      // Returns at once if the state is no longer `contended`, so that an unlock just before it is not slept through.
      Atomics.wait(this.#state, this.#at, contended)
    }
  }

  /** Only the thread that has the lock may call this. */
  unlock(): void {
    if (Atomics.exchange(this.#state, this.#at, unlocked) === contended) Atomics.notify(this.#state, this.#at, 1)
  }
}
