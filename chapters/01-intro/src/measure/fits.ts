/**
 * The parameters of a law from measured speedups, by linear least squares. Both laws predict the time as a share of the
 * time on one processor, and that share is linear in their parameters. The fit minimizes the sum of (predicted time /
 * measured time − 1)²: an error of 5 % weighs the same on two processors and on two hundred.
 */
import type { Usl } from '../laws/laws.ts'

export interface Point {
  /** 1 or more; need not be whole. Points on one processor do not affect either fit. */
  processors: number
  /** T(1) / T(processors). */
  speedup: number
}

/**
 * The serial fraction 1 − f with which Amdahl's law comes closest to the points; negative if they are faster than the
 * law allows. Throws a RangeError without a point on more than one processor.
 */
export function fitAmdahl(points: readonly Point[]): number {
  requireDistinct(points, 1, 'the serial fraction')
  // #region amdahl
  let ab = 0
  let aa = 0
  // The predicted time is 1/P + s(1 − 1/P). Multiplied by the speedup, and less 1, it is a·s − b.
  for (const { processors, speedup } of points) {
    const a = speedup * (1 - 1 / processors)
    const b = 1 - speedup / processors
    ab += a * b
    aa += a * a
  }
  return ab / aa
  // #endregion amdahl
}

/**
 * The parameters, neither of them negative, with which the Universal Scalability Law comes closest to the points.
 * Throws a RangeError for fewer than two different numbers of processors above one: two unknowns need two measurements.
 */
export function fitUsl(points: readonly Point[]): Usl {
  requireDistinct(points, 2, 'contention and coherency')
  let aa = 0
  let ac = 0
  let cc = 0
  let ab = 0
  let cb = 0
  // The predicted time is 1/P + σ(P − 1)/P + κ(P − 1). Multiplied by the speedup, and less 1, it is a·σ + c·κ − b.
  for (const { processors, speedup } of points) {
    const a = speedup * (1 - 1 / processors)
    const c = speedup * (processors - 1)
    const b = 1 - speedup / processors
    aa += a * a
    ac += a * c
    cc += c * c
    ab += a * b
    cb += c * b
  }
  const determinant = aa * cc - ac * ac
  const contention = (ab * cc - cb * ac) / determinant
  const coherency = (cb * aa - ab * ac) / determinant
  // Noise can make one of them negative. The best value allowed is then 0, and the other one is fitted alone.
  if (contention < 0) return { contention: 0, coherency: Math.max(0, cb / cc) }
  if (coherency < 0) return { contention: Math.max(0, ab / aa), coherency: 0 }
  return { contention, coherency }
}

function requireDistinct(points: readonly Point[], count: number, what: string) {
  const distinct = new Set(points.map(({ processors }) => processors).filter((processors) => processors > 1))
  if (distinct.size >= count) return
  throw new RangeError(`${what} cannot be fitted on ${distinct.size} numbers of processors above 1`)
}
