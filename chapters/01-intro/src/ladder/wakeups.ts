/** Two threads that wake each other up in turn, without messages: Atomics.wait and Atomics.notify on a shared number. */

export interface WakeUps {
  /** 0: the asking thread's turn; 1: the answering one's. */
  turn: Int32Array<SharedArrayBuffer>
  /** How often each wakes the other up. */
  times: number
}

/** A thread that has not been woken up for so long never will be: the other one has ended. */
const deadlineMs = 10_000

/** Wakes the other thread up and waits to be woken up by it; returns how long each time took in nanoseconds. */
export function askWakeUps({ turn, times }: WakeUps): number[] {
  return Array.from({ length: times }, () => {
    const begin = process.hrtime.bigint()
    pass(turn, 1)
    waitFor(turn, 0)
    return Number(process.hrtime.bigint() - begin)
  })
}

/** The other thread's part. */
export function answerWakeUps({ turn, times }: WakeUps): void {
  for (let i = 0; i < times; i++) {
    waitFor(turn, 1)
    pass(turn, 0)
  }
}

function pass(turn: WakeUps['turn'], to: 0 | 1) {
  Atomics.store(turn, 0, to)
  Atomics.notify(turn, 0, 1)
}

function waitFor(turn: WakeUps['turn'], own: 0 | 1) {
  while (Atomics.load(turn, 0) !== own) {
    if (Atomics.wait(turn, 0, 1 - own, deadlineMs) === 'timed-out') throw new Error('the other thread does not answer')
  }
}
