/** Numbers that take work to compute, and have no short cut: where the logistic map x → 4 x (1 - x) gets to. */
import type { Place } from './ring.ts'

/**
 * Adds a rank's vector to `sum`: for each number where an orbit of its own is after `steps` steps, in thousandths. They
 * are whole numbers, so their sum is exact in any order.
 */
export function addOrbits(sum: Float64Array, { rank, size }: Place, steps: number): void {
  const orbits = size * sum.length + 1
  for (let at = 0; at < sum.length; at++) {
    let x = (rank * sum.length + at + 1) / orbits
    for (let step = 0; step < steps; step++) x = 4 * x * (1 - x)
    sum[at] += Math.floor(1000 * x)
  }
}
