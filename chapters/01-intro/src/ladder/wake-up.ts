/** Two threads that wake each other without messages: Atomics.wait and Atomics.notify on a shared number. */

/** Whose turn it is, as one number: 0 for the thread that asks, 1 for the one that answers. */
export type Turn = Int32Array<SharedArrayBuffer>

/** An answer takes microseconds; after this time the other thread must have ended. */
const deadlineMs = 10_000

// #region wake-up
/** Wakes the other thread and sleeps until that thread has woken this one. Throws when no answer comes. */
export function wakeUp(turn: Turn): void {
  pass(turn, 1)
  while (Atomics.load(turn, 0) !== 0) {
    if (Atomics.wait(turn, 0, 1, deadlineMs) === 'timed-out') throw new Error('the other thread does not answer')
  }
}

/** The other thread's part, for ever: sleeps until it is woken, then wakes the thread that woke it. */
export function answerWakeUps(turn: Turn): never {
  for (;;) {
    while (Atomics.load(turn, 0) !== 1) Atomics.wait(turn, 0, 0)
    pass(turn, 0)
  }
}

function pass(turn: Turn, to: 0 | 1) {
  Atomics.store(turn, 0, to)
  Atomics.notify(turn, 0, 1)
}
// #endregion wake-up
