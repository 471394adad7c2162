/**
 * Numbers that take work to compute: where the logistic map x → 4 x (1 - x) gets to, step by step. There is a formula,
 * sin²(2ⁿ asin √x), but it does not give the same numbers: each step doubles the rounding errors.
 */
import type { Place } from './ring.ts'

/**
 * Adds a rank's vector to `sum`. Each number is where its own orbit is after `steps` steps, in thousandths. They are
 * whole numbers, so their sum is exact in any order.
 */
export function addOrbits(sum: Float64Array, { rank, size }: Place, steps: number): void {
  const orbits = size * sum.length + 1
  for (let at = 0; at < sum.length; at++) {
    let x = (rank * sum.length + at + 1) / orbits
    for (let step = 0; step < steps; step++) x = 4 * x * (1 - x)
    sum[at] += Math.floor(1000 * x)
  }
}
