/**
 * The longest Collatz sequence, a computation that goes on for as long as one likes and whose state is small: n → n / 2
 * for an even n, 3 n + 1 for an odd one, until 1. https://oeis.org/A006877 lists the numbers that set records.
 */

export interface CollatzState {
  /** The next number to look at; all below it are done. */
  next: number
  /** The number with the most steps so far, and those steps. */
  best: number
  steps: number
  /** For the reader's picture: the program's lives, each from which number to which, and when (ms since 1970). */
  lives: { from: number; to: number; startedAt: number; endedAt: number }[]
}

export function begin(): CollatzState {
  return { next: 1, best: 1, steps: 0, lives: [] }
}

export function isDone({ next }: CollatzState, below: number): boolean {
  return next >= below
}

/** The state after `count` more numbers, or at the end. */
export function advance({ next, best, steps, lives }: CollatzState, below: number, count: number): CollatzState {
  const end = Math.min(below, next + count)
  for (let number = next; number < end; number++) {
    const taken = stepsOf(number)
    if (taken > steps) {
      best = number
      steps = taken
    }
  }
  const last = lives.at(-1)
  const now = last && { ...last, to: end, endedAt: Date.now() }
  return { next: end, best, steps, lives: now ? [...lives.slice(0, -1), now] : lives }
}

/** Exact up to 2^53; the sequences of numbers below 10^8 stay below that. */
export function stepsOf(number: number): number {
  let steps = 0
  for (let n = number; n !== 1; steps++) {
    const half = n / 2
    // Several times as fast as asking for the remainder, which for numbers beyond 32 bits is a function of its own.
    n = half === Math.floor(half) ? half : 3 * n + 1
  }
  return steps
}
