/**
 * The four golden signals (Google's Site Reliability Engineering, chapter 6): latency, traffic, errors, saturation. Each
 * curve is a question to Prometheus, and the same one reckoned from our own scrapes.
 */
import { histogramQuantile, largest, rate, type Scrape } from './scraper.ts'

interface Curve {
  panel: 'latency' | 'traffic' | 'errors' | 'saturation'
  name: string
  promql: string
  own: (before: Scrape, after: Scrape) => number
}

const job = { kind: 'job' }
const jobQuantile = (q: number) =>
  `histogram_quantile(${q}, sum by (le) (rate(pipeline_step_seconds_bucket{kind="job"}[3s])))`

export const curves = [
  {
    panel: 'latency',
    name: 'jobs, median',
    promql: jobQuantile(0.5),
    own: (before, after) => histogramQuantile(0.5, before, after, 'pipeline_step_seconds', job),
  },
  {
    panel: 'latency',
    name: 'jobs, 95 %',
    promql: 'pipeline:job_seconds:p95',
    own: (before, after) => histogramQuantile(0.95, before, after, 'pipeline_step_seconds', job),
  },
  {
    panel: 'traffic',
    name: 'orders taken',
    promql: 'pipeline:orders:rate',
    own: (before, after) => rate(before, after, 'pipeline_step_seconds_count', { kind: 'request' }),
  },
  {
    panel: 'traffic',
    name: 'payments',
    promql: 'sum(rate(pipeline_step_seconds_count{kind="job",step="payment"}[3s]))',
    own: (before, after) => rate(before, after, 'pipeline_step_seconds_count', { ...job, step: 'payment' }),
  },
  {
    panel: 'errors',
    name: 'jobs that failed',
    promql: 'sum(rate(pipeline_step_failures_total{kind="job"}[3s])) or vector(0)',
    own: (before, after) => rate(before, after, 'pipeline_step_failures_total', job),
  },
  {
    panel: 'saturation',
    name: 'waiting orders',
    promql: 'sum(pipeline_queue_depth)',
    own: (_, after) =>
      largest(after, 'pipeline_queue_depth', { queue: 'payment' }) +
      largest(after, 'pipeline_queue_depth', { queue: 'shipping' }),
  },
  {
    panel: 'saturation',
    name: 'age of the oldest, ms',
    promql: '1000 * max(pipeline_queue_oldest_seconds)',
    own: (_, after) => 1000 * largest(after, 'pipeline_queue_oldest_seconds'),
  },
  {
    panel: 'saturation',
    name: 'event loops late, ms',
    promql: '1000 * max(nodejs_eventloop_lag_p99_seconds)',
    own: (_, after) => 1000 * largest(after, 'nodejs_eventloop_lag_p99_seconds'),
  },
] as const satisfies Curve[]

export interface Drawn {
  panel: Curve['panel']
  name: string
  points: { ms: number; value: number }[]
}

/** What `rate(…[3s])` looks back. */
const windowMs = 3_000

/** Each curve from our own scrapes. */
export function ownCurves(scrapes: readonly Scrape[]): Drawn[] {
  return curves.map(({ panel, name, own }) => ({
    panel,
    name,
    points: scrapes.flatMap((after, at) => {
      const before = scrapes.slice(0, at).find(({ ms }) => ms >= after.ms - windowMs)
      const value = before ? own(before, after) : Number.NaN
      return Number.isFinite(value) ? [{ ms: after.ms, value }] : []
    }),
  }))
}
