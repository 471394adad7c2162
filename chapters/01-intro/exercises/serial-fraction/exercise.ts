/** Amdahl's law, fitted to measured times. */
import type { Run } from './check.ts'

/**
 * Returns the serial fraction, from 0 to 1, of the law serial + divisible / workers that comes closest to the runs: the
 * sum of (predicted − measured)² is the least, and neither part is negative. Returns undefined if the runs leave it open.
 */
export function serialFraction(_runs: readonly Run[]): number | undefined {
  // Your code: plotted over 1 / workers, the times of the law lie on a straight line.
  return undefined
}
