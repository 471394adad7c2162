/** A small stand-in for when Prometheus is missing: scrapes all targets, and computes rates and quantiles. */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { largest as largestOf } from '@repo/common/extremes'

export interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

/** How often targets are scraped, and how long they may take to answer: Prometheus allows no more than that. */
export const scrapeEveryMs = 500
/** How far back a rate looks, as in `rate(…[3s])`. */
const windowMs = 3_000

/** The samples of all targets at one moment. */
export interface Scrape {
  ms: number
  samples: Sample[]
}

/** Reads Prometheus's text format, `name{label="value"} 1.5`; everything else, such as comments, is skipped. */
export function parseMetrics(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name = '', labels = '', value = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line) ?? []
    if (name === '') return []
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', text = '']) => [
      key,
      text.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped)),
    ])
    return [
      { name, labels: Object.fromEntries(pairs), value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value) },
    ]
  })
}

/** Scrapes every target in the JSON files of a folder (Prometheus's file_sd); `up` is 1 for those that answered. */
export async function scrape(folder: string): Promise<Scrape> {
  const ms = Date.now()
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json'))
  const samples = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(folder, file), 'utf8').catch(() => '[]')
      const [target] = JSON.parse(text) as { targets: string[]; labels: Record<string, string> }[]
      if (!target) return []
      const up = (value: number) => ({ name: 'up', labels: target.labels, value })
      try {
        const signal = AbortSignal.timeout(scrapeEveryMs)
        const response = await fetch(`http://${target.targets[0]}/metrics`, { signal })
        const own = parseMetrics(await response.text())
        if (!response.ok) return [up(0)]
        return [
          up(1),
          ...own.map(({ labels, ...rest }) => ({ ...rest, labels: { ...labels, ...target.labels, ...labels } })),
        ]
      } catch {
        return [up(0)]
      }
    }),
  )
  return { ms, samples: samples.flat() }
}

export type Selector = Record<string, string>
const selects = (selector: Selector, { labels }: Sample) =>
  Object.entries(selector).every(([key, value]) => labels[key] === value)

interface Point {
  ms: number
  value: number
}

/**
 * Returns how much a counter grew per second in the time before the last scrape, summed over all series, as Prometheus's
 * `rate` does; NaN when no series has two values in that time. A restarted process starts from 0. Of a series that is
 * new, or was missed for a while, only what was seen to grow counts.
 */
export function rate(scrapes: readonly Scrape[], name: string, selector: Selector, rangeMs = windowMs): number {
  const endMs = scrapes.at(-1)?.ms ?? 0
  const series = new Map<string, Point[]>()
  for (const { ms, samples } of scrapes) {
    if (ms <= endMs - rangeMs) continue
    for (const sample of samples) {
      if (sample.name !== name || !selects(selector, sample)) continue
      const key = JSON.stringify(Object.entries(sample.labels).sort())
      const points = series.get(key) ?? []
      series.set(key, points)
      points.push({ ms, value: sample.value })
    }
  }
  const rates = [...series.values()].flatMap((points) => rateOf(points, endMs, rangeMs) ?? [])
  return rates.length === 0 ? Number.NaN : rates.reduce((sum, each) => sum + each, 0)
}

/** Extrapolates as Prometheus does: its functions.go, `extrapolatedRate`. */
function rateOf(points: readonly Point[], endMs: number, rangeMs: number): number | undefined {
  const [first, last] = [points[0], points.at(-1)]
  if (!first || !last || points.length < 2) return undefined
  let grown = last.value - first.value
  for (const [at, { value }] of points.entries()) {
    const before = points[at - 1]?.value ?? 0
    if (value < before) grown += before
  }
  const coveredMs = last.ms - first.ms
  const gapMs = coveredMs / (points.length - 1)
  // Up to the window's edges, where the next value could have been; not further back than where the counter was 0.
  const toStartMs = first.ms - (endMs - rangeMs)
  const toZeroMs = grown > 0 && first.value >= 0 ? coveredMs * (first.value / grown) : Number.POSITIVE_INFINITY
  const toEndMs = endMs - last.ms
  const reach = (ms: number) => (ms < 1.1 * gapMs ? ms : gapMs / 2)
  const coversMs = coveredMs + reach(Math.min(toStartMs, toZeroMs)) + reach(toEndMs)
  return (grown * (coversMs / coveredMs)) / (rangeMs / 1000)
}

/** Returns the largest value of a gauge's series; 0 when there is none. */
export function largest(scrape: Scrape | undefined, name: string, selector: Selector = {}): number {
  const samples = scrape?.samples ?? []
  const values = samples.filter((sample) => sample.name === name && selects(selector, sample)).map(({ value }) => value)
  return Math.max(0, largestOf(values))
}

/**
 * Returns a quantile of what a histogram counted in the time before the last scrape, interpolated within its bucket; NaN
 * when it counted nothing.
 */
export function histogramQuantile(q: number, scrapes: readonly Scrape[], name: string, selector: Selector): number {
  const bounds = new Set(
    (scrapes.at(-1)?.samples ?? [])
      .filter((sample) => sample.name === `${name}_bucket` && selects(selector, sample))
      .map(({ labels }) => labels.le ?? ''),
  )
  const buckets = [...bounds]
    .map((le) => ({ le: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), text: le }))
    .sort((a, b) => a.le - b.le)
    .map(({ le, text }) => ({ le, below: rate(scrapes, `${name}_bucket`, { ...selector, le: text }) }))
  const wanted = q * (buckets.at(-1)?.below ?? 0)
  if (!(wanted > 0)) return Number.NaN
  let low = { le: 0, below: 0 }
  for (const bucket of buckets) {
    if (bucket.below >= wanted) {
      if (bucket.le === Number.POSITIVE_INFINITY) return low.le
      return low.le + ((bucket.le - low.le) * (wanted - low.below)) / Math.max(1e-9, bucket.below - low.below)
    }
    low = bucket
  }
  return low.le
}
