/** The same numbers three times: as a class, as a generator, and as an async generator. */
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Counts down from `from` to 1, the long way: an iterable object makes iterators, and an iterator is any object with
 * `next()`. Each `for … of` asks for an iterator of its own.
 */
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

/** The same as a generator: `yield` hands a value out and waits there to be asked for the next one. */
export function* countdown(from: number): Generator<number, void, void> {
  for (let left = from; left > 0; left--) yield left
}

/** The same when each number has to be waited for. */
export async function* slowCountdown(from: number, everyMs: number, signal?: AbortSignal): AsyncGenerator<number> {
  for (const left of countdown(from)) {
    await delay(everyMs, undefined, { signal })
    yield left
  }
}

/** All whole numbers from `from` on; `onMade` is told of each as it is made. It never ends by itself. */
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
