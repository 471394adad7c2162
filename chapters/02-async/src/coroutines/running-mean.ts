/** A coroutine that remembers something between two values. */
import { coroutine } from './coroutine.ts'

/** Something that is not a number was sent. */
export class NotANumber extends Error {
  override name = 'NotANumber'
}

/**
 * Takes numbers and gives back the mean of all so far. It survives a `NotANumber` that is thrown into it, by leaving the
 * value out; any other error ends it. At the end it calls `onEnd` with the last mean and the number of values.
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

/** The same, primed: it already waits for its first number. */
export const runningMean = coroutine(meanSoFar)
