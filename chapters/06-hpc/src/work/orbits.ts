/**
 * Numbers that take work to compute: where the logistic map x → 4 x (1 - x) gets to, step by step. There is a formula,
 * sin²(2ⁿ asin √x), but it does not give the same numbers: each step doubles the rounding errors.
 *
 * A step has to wait for the one before it, so four orbits are followed at a time: the processor computes them beside one
 * another.
 */
import type { Place } from './ring.ts'

/**
 * Adds a rank's vector to `sum`. Each number is where its own orbit is after `steps` steps, in thousandths. They are
 * whole numbers, so their sum is exact in any order.
 */
export function addOrbits(sum: Float64Array, { rank, size }: Place, steps: number): void {
  const orbits = size * sum.length + 1
  const start = (at: number) => (rank * sum.length + at + 1) / orbits
  // What is written beyond the end of a typed array goes nowhere.
  for (let at = 0; at < sum.length; at += 4) {
    let a = start(at)
    let b = start(at + 1)
    let c = start(at + 2)
    let d = start(at + 3)
    for (let step = 0; step < steps; step++) {
      a = 4 * a * (1 - a)
      b = 4 * b * (1 - b)
      c = 4 * c * (1 - c)
      d = 4 * d * (1 - d)
    }
    sum[at] += Math.floor(1000 * a)
    sum[at + 1] += Math.floor(1000 * b)
    sum[at + 2] += Math.floor(1000 * c)
    sum[at + 3] += Math.floor(1000 * d)
  }
}
