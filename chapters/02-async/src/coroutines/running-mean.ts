/** A coroutine with something to remember between two values. */
import { coroutine } from './coroutine.ts'

/** What is not a finite number was sent. */
export class NotANumber extends Error {
  override name = 'NotANumber'
}

/**
 * Takes numbers and gives back the mean of all so far. Survives a `NotANumber` thrown into it, by leaving the value out;
 * any other error ends it. Its last value, after `return()`, is told to `onEnd`.
 */
export function* meanSoFar(onEnd: (mean: number, values: number) => void = () => {}): Generator<number, void, number> {
  let sum = 0
  let values = 0
  try {
    for (;;) {
      try {
        sum += yield values === 0 ? 0 : sum / values
        values++
      } catch (error) {
        if (!(error instanceof NotANumber)) throw error
      }
    }
  } finally {
    onEnd(values === 0 ? 0 : sum / values, values)
  }
}

/** The same, already waiting for its first number. */
export const runningMean = coroutine(meanSoFar)
