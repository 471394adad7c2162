/**
 * The four golden signals (Google's Site Reliability Engineering, chapter 6): latency, traffic, errors, saturation.
 * Each curve is a Prometheus query, and a function that computes the same from our own scrapes.
 */
import { largest as largestOf, smallest } from '@repo/common/extremes'
import { linePlot } from '@repo/common/output/plots'
import { histogramQuantile, largest, rate, type Scrape } from './scraper.ts'

interface Curve {
  panel: 'latency' | 'traffic' | 'errors' | 'saturation'
  name: string
  promql: string
  /** From all scrapes so far. */
  own: (scrapes: readonly Scrape[]) => number
}

const job = { kind: 'job' }
const jobQuantile = (q: number) =>
  `histogram_quantile(${q}, sum by (le) (rate(pipeline_step_seconds_bucket{kind="job"}[3s])))`

export const curves = [
  {
    panel: 'latency',
    name: 'jobs, median',
    promql: jobQuantile(0.5),
    own: (scrapes) => histogramQuantile(0.5, scrapes, 'pipeline_step_seconds', job),
  },
  {
    panel: 'latency',
    name: 'jobs, 95 %',
    promql: 'pipeline:job_seconds:p95',
    own: (scrapes) => histogramQuantile(0.95, scrapes, 'pipeline_step_seconds', job),
  },
  {
    panel: 'traffic',
    name: 'orders taken',
    promql: 'pipeline:orders:rate',
    own: (scrapes) => rate(scrapes, 'pipeline_step_seconds_count', { kind: 'request' }),
  },
  {
    panel: 'traffic',
    name: 'payments',
    promql: 'sum(rate(pipeline_step_seconds_count{kind="job",step="payment"}[3s]))',
    own: (scrapes) => rate(scrapes, 'pipeline_step_seconds_count', { ...job, step: 'payment' }),
  },
  {
    panel: 'errors',
    name: 'jobs that failed',
    promql: 'sum(rate(pipeline_step_failures_total{kind="job"}[3s])) or vector(0)',
    own: (scrapes) => rate(scrapes, 'pipeline_step_failures_total', job) || 0,
  },
  {
    panel: 'saturation',
    name: 'waiting orders',
    promql: 'sum(max by (queue) (pipeline_queue_depth))',
    own: (scrapes) =>
      largest(scrapes.at(-1), 'pipeline_queue_depth', { queue: 'payment' }) +
      largest(scrapes.at(-1), 'pipeline_queue_depth', { queue: 'shipping' }),
  },
  {
    panel: 'saturation',
    name: 'age of the oldest, ms',
    promql: '1000 * max(pipeline_queue_oldest_seconds)',
    own: (scrapes) => 1000 * largest(scrapes.at(-1), 'pipeline_queue_oldest_seconds'),
  },
  {
    panel: 'saturation',
    name: 'event loops late, ms',
    promql: '1000 * max(nodejs_eventloop_lag_p99_seconds)',
    own: (scrapes) => 1000 * largest(scrapes.at(-1), 'nodejs_eventloop_lag_p99_seconds'),
  },
] as const satisfies Curve[]

export interface Drawn {
  panel: Curve['panel']
  name: string
  points: { ms: number; value: number }[]
}

/** Computes each curve from our own scrapes. */
export function ownCurves(scrapes: readonly Scrape[]): Drawn[] {
  return curves.map(({ panel, name, own }) => ({
    panel,
    name,
    points: scrapes.flatMap(({ ms }, at) => {
      const value = own(scrapes.slice(0, at + 1))
      return Number.isFinite(value) ? [{ ms, value }] : []
    }),
  }))
}

const titles = {
  latency: 'Latency, s',
  traffic: 'Traffic, per s',
  errors: 'Errors, per s',
  saturation: 'Saturation',
} as const
const height = 230
const width = 760

/**
 * Draws four panels, one below another.
 *
 * @param events when each named event happened, in ms on the curves' clock; marked in each panel
 * @returns SVG text
 */
export function drawSignals(curves: readonly Drawn[], events: Record<string, number>, subtitle: string): string {
  const startMs = smallest(curves.flatMap(({ points }) => points.map(({ ms }) => ms)))
  const endMs = largestOf(curves.flatMap(({ points }) => points.map(({ ms }) => ms)))
  const panels = Object.entries(titles).map(([panel, title]) => {
    const own = curves.filter((curve) => curve.panel === panel)
    const top = Math.max(1e-3, ...own.flatMap(({ points }) => points.map(({ value }) => value)))
    return linePlot({
      title,
      width,
      height,
      ...(panel === 'latency' && { subtitle }),
      x: { label: panel === 'saturation' ? 'seconds' : '', domain: [0, (endMs - startMs) / 1000] },
      y: { label: '', domain: [0, top], ticks: 4 },
      series: [
        ...own.map(({ name, points }) => ({
          name,
          points: points.map(({ ms, value }) => ({ x: (ms - startMs) / 1000, y: value })),
        })),
        ...Object.entries(events).map(([name, ms]) => ({
          name,
          style: 'dashed' as const,
          color: '#868e96',
          points: [0, top].map((y) => ({ x: (ms - startMs) / 1000, y })),
        })),
      ],
    })
  })
  const placed = panels.map((svg, at) => svg.replace('<svg ', `<svg y="${at * height}" `))
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height * panels.length}" viewBox="0 0 ${width} ${height * panels.length}">${placed.join('')}</svg>\n`
}
