// The checker says: It returns a fraction above 1.
/** Believes what the best line says, even if a part of the time is negative. */
import type { Run } from '../check.ts'

export function serialFraction(runs: readonly Run[]): number | undefined {
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
  return serial / (serial + divisible)
}
