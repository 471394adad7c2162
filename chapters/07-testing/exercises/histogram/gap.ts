// The checker says: record counts nothing.
/** Counts in buckets: what several processes have measured can be added. */
import type { Histogram } from './check.ts'

/** Returns a histogram without values. */
export function empty(limits: readonly number[]): Histogram {
  return { limits, counts: Array<number>(limits.length + 1).fill(0) }
}

/** Counts a value, in the first bucket whose limit it does not exceed, or in the last one. */
export function record(_histogram: Histogram, _value: number): void {
  // Your code.
}

/**
 * Returns the histogram of the values of both, and changes neither.
 *
 * @throws a RangeError if their limits differ
 */
export function add(a: Histogram, _b: Histogram): Histogram {
  // Your code.
  return a
}

/**
 * Returns a number in the bucket of a quantile, from 0 to 1: larger than the limit below it, and not larger than its own.
 *
 * @returns undefined if there are no values
 */
export function quantile(_histogram: Histogram, _q: number): number | undefined {
  // Your code: in which bucket is the value at place ⌈q · n⌉?
  return undefined
}
