/**
 * What a parallel or distributed program costs (McSherry, Isard and Murray, "Scalability! But at what COST?", 2015): the
 * smallest configuration that beats the best plain program on one thread, which does the same work with the same result.
 */

export interface Cost {
  /** The time of the best plain program on one thread, in milliseconds. */
  bestSerialMs: number
  /** The fewest workers that were faster; `not up to N` if none was, of up to N. */
  cost: number | `not up to ${number}`
}

/**
 * Returns the COST of a program that was timed with one or more numbers of workers.
 *
 * @param runs the times for the same work as `bestSerialMs`, at least one
 */
export function costOf(bestSerialMs: number, runs: readonly { workers: number; ms: number }[]): Cost {
  const faster = runs.filter(({ ms }) => ms < bestSerialMs).map(({ workers }) => workers)
  const most = runs.reduce((most, { workers }) => Math.max(most, workers), 0)
  return { bestSerialMs, cost: faster.length > 0 ? Math.min(...faster) : `not up to ${most}` }
}

/**
 * Returns the first measurement after the last one without a COST, of several in order of size: from there on parallel work
 * pays. Undefined if it does not pay at the largest size.
 */
export function paysFrom<Measured extends Pick<Cost, 'cost'>>(sizes: readonly Measured[]): Measured | undefined {
  return sizes[sizes.findLastIndex(({ cost }) => typeof cost === 'string') + 1]
}

export interface Growth {
  /** The size of the input. */
  size: number
  ms: number
}

/**
 * Returns the slope of time against size on logarithmic axes, by least squares: 1 if the time grows in proportion to the
 * size, 2 if it grows with its square. NaN for fewer than two sizes.
 */
export function growthSlope(points: readonly Growth[]): number {
  return slopeOf(points.map(({ size, ms }) => ({ x: Math.log(size), y: Math.log(ms) })))
}

/** Returns the slope of a line by least squares; NaN for fewer than two places on the x axis. */
export function slopeOf(points: readonly { x: number; y: number }[]): number {
  const mean = (of: 'x' | 'y') => points.reduce((sum, point) => sum + point[of], 0) / points.length
  const [x, y] = [mean('x'), mean('y')]
  const covariance = points.reduce((sum, point) => sum + (point.x - x) * (point.y - y), 0)
  return covariance / points.reduce((sum, point) => sum + (point.x - x) ** 2, 0)
}
