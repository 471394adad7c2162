/** The same numbers in three forms, a class, a generator and an async generator; and numbers without end. */
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Counts down from `from` to 1, the long way. An iterable object makes iterators; an iterator is any object with
 * `next()`. Each `for … of` gets an iterator of its own.
 */
// #region forms
export class Countdown implements Iterable<number> {
  readonly from: number

  constructor(from: number) {
    this.from = from
  }

  [Symbol.iterator](): Iterator<number, undefined> {
    let left = this.from
    return {
      next: () => (left > 0 ? { done: false, value: left-- } : { done: true, value: undefined }),
    }
  }
}

/** The same as a generator: `yield` hands out a value and waits there until the next one is requested. */
export function* countdown(from: number): Generator<number, void, void> {
  for (let left = from; left > 0; left--) yield left
}
// #endregion forms

/** The same with a wait of `everyMs` milliseconds before each number. */
export async function* slowCountdown(from: number, everyMs: number, signal?: AbortSignal): AsyncGenerator<number> {
  for (const left of countdown(from)) {
    await delay(everyMs, undefined, { signal })
    yield left
  }
}

/** All whole numbers from `from`, without end. Calls `onMade` for each number when it is made. */
export function* naturals(from: number, onMade: (value: number) => void = () => {}): Generator<number, never, void> {
  for (let value = from; ; value++) {
    onMade(value)
    yield value
  }
}

export function isPrime(value: number): boolean {
  if (value < 2) return false
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false
  return true
}
