// The checker says: Two threads have task 0.
/** Looks at the word, and moves it in a second step. */
import type { Range } from '../check.ts'

export function take(next: Int32Array, items: number, workers: number): Range | undefined {
  const from = Atomics.load(next, 0)
  if (from >= items) return undefined
  const to = from + Math.ceil((items - from) / (2 * workers))
  Atomics.store(next, 0, to)
  return { from, to }
}
