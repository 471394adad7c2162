/** A small stand-in for when Prometheus is missing: scrapes all targets, and computes rates and quantiles. */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { largest as largestOf } from '@repo/common/extremes'

export interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

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
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json'))
  const samples = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(folder, file), 'utf8').catch(() => '[]')
      const [target] = JSON.parse(text) as { targets: string[]; labels: Record<string, string> }[]
      if (!target) return []
      const up = (value: number) => ({ name: 'up', labels: target.labels, value })
      try {
        const response = await fetch(`http://${target.targets[0]}/metrics`, { signal: AbortSignal.timeout(2_000) })
        const own = parseMetrics(await response.text())
        return [
          up(1),
          ...own.map(({ labels, ...rest }) => ({ ...rest, labels: { ...labels, ...target.labels, ...labels } })),
        ]
      } catch {
        return [up(0)]
      }
    }),
  )
  return { ms: Date.now(), samples: samples.flat() }
}

export type Selector = Record<string, string>
const selects = (selector: Selector, { labels }: Sample) =>
  Object.entries(selector).every(([key, value]) => labels[key] === value)

/**
 * Returns how much a counter grew between two scrapes, per second, summed over all series. A restarted process starts
 * from 0.
 */
export function rate(before: Scrape, after: Scrape, name: string, selector: Selector): number {
  const key = ({ labels }: Sample) => JSON.stringify(Object.entries(labels).sort())
  const of = ({ samples }: Scrape) =>
    new Map(
      samples
        .filter((sample) => sample.name === name && selects(selector, sample))
        .map((sample) => [key(sample), sample.value]),
    )
  const earlier = of(before)
  let grown = 0
  for (const [series, value] of of(after)) {
    const was = earlier.get(series) ?? 0
    grown += value >= was ? value - was : value
  }
  return grown / Math.max(1e-9, (after.ms - before.ms) / 1000)
}

/** Returns the largest value of a gauge's series; 0 when there is none. */
export function largest({ samples }: Scrape, name: string, selector: Selector = {}): number {
  const values = samples.filter((sample) => sample.name === name && selects(selector, sample)).map(({ value }) => value)
  return Math.max(0, largestOf(values))
}

/**
 * Returns a quantile of what a histogram counted between two scrapes, interpolated within its bucket; NaN when it
 * counted nothing.
 */
export function histogramQuantile(q: number, before: Scrape, after: Scrape, name: string, selector: Selector): number {
  const bounds = new Set(
    after.samples
      .filter((sample) => sample.name === `${name}_bucket` && selects(selector, sample))
      .map(({ labels }) => labels.le ?? ''),
  )
  const buckets = [...bounds]
    .map((le) => ({ le: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), text: le }))
    .sort((a, b) => a.le - b.le)
    .map(({ le, text }) => ({ le, below: rate(before, after, `${name}_bucket`, { ...selector, le: text }) }))
  const wanted = q * (buckets.at(-1)?.below ?? 0)
  if (wanted === 0) return Number.NaN
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
