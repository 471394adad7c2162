/** Amdahl's law, fitted to measured times. */
import type { Run } from './check.ts'

/**
 * Returns the serial fraction, from 0 to 1, of the law serial + divisible / workers that comes closest to the runs: the
 * sum of (predicted − measured)² is the least, and neither part is negative. Returns undefined if the runs leave it open.
 */
export function serialFraction(runs: readonly Run[]): number | undefined {
  // Through points one above the other goes any line.
  if (new Set(runs.map(({ workers }) => workers)).size < 2) return undefined
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
  // A part that would be negative is 0. This must be decided before dividing: the sum of both may be negative as well.
  if (serial < 0) return 0
  if (divisible < 0) return 1
  return serial / (serial + divisible)
}
