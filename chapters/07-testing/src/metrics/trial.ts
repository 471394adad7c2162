/** Orders through the pipeline at a steady rate, with a worker missing in the middle third, watched by Prometheus or by us. */
import { setTimeout as delay } from 'node:timers/promises'
import { progress } from '@repo/common/output/progress'
import { temporaryFolder } from '@repo/common/process/temporary'
import { placeOrders, stockFor } from '../pipeline/load.ts'
import type { Order } from '../pipeline/orders.ts'
import { startPipeline } from '../pipeline/pipeline.ts'
import { observed } from '../watch/observe.ts'
import { curves, type Drawn, ownCurves } from './golden-signals.ts'
import { scrapeEveryMs, startPrometheus } from './prometheus.ts'
import { type Scrape, scrape } from './scraper.ts'

export interface Trial {
  curves: Drawn[]
  /** When payment 1 was killed and when it ran again, and beginning and end: in ms, as Date.now() has it. */
  startMs: number
  killedMs: number
  startedMs: number
  endMs: number
  /** What fired, each once, with the ms since the start. None without Prometheus. */
  alerts: { name: string; summary: string; ms: number }[]
}

/** @param withPrometheus whether it records the metrics and evaluates the rules; else they are fetched here */
export async function runWithWorkerMissing(
  orders: readonly Order[],
  { rate, withPrometheus, signal }: { rate: number; withPrometheus: boolean; signal: AbortSignal },
): Promise<Trial> {
  await using folder = await temporaryFolder()
  await using targets = await temporaryFolder()
  // Two workers can do 200 payments per second, one can do 100.
  const shape = { workers: { payment: 2, shipping: 2 }, concurrency: 4, slowMs: [30, 50] as const, lockMs: 1_000 }
  const watched = observed({ metrics: targets.path })
  await using pipeline = await startPipeline({ stock: stockFor(orders), ...shape, ...watched, signal })
  await using prometheus = withPrometheus
    ? await startPrometheus({ targets: targets.path, folder: folder.path, signal })
    : undefined

  using bar = progress('placing orders', orders.length)
  const startMs = Date.now()
  const thirdMs = (1000 * orders.length) / rate / 3
  const scrapes: Scrape[] = []
  const alerts = new Map<string, Trial['alerts'][number]>()
  const ended = new AbortController()
  async function watch() {
    while (!ended.signal.aborted) {
      if (prometheus) {
        for (const { name, summary } of await prometheus.firing())
          if (!alerts.has(name)) alerts.set(name, { name, summary, ms: Date.now() - startMs })
      } else scrapes.push(await scrape(targets.path))
      await delay(scrapeEveryMs, undefined, { signal: AbortSignal.any([ended.signal, signal]) }).catch(() => {})
    }
  }
  const watching = watch()
  watching.catch(() => {})
  async function loseWorker() {
    await delay(thirdMs, undefined, { signal })
    await pipeline.kill('payment 1')
    const killedMs = Date.now()
    await delay(thirdMs, undefined, { signal })
    await pipeline.start('payment 1')
    return { killedMs, startedMs: Date.now() }
  }
  let accepted = 0
  const [times] = await Promise.all([
    loseWorker(),
    placeOrders({ url: pipeline.url, orders, rate, signal, onAccepted: () => bar.update(++accepted) }),
  ])
  await pipeline.drained({ signal })
  await delay(2 * scrapeEveryMs, undefined, { signal })
  ended.abort()
  await watching
  const endMs = Date.now()
  const drawn = prometheus
    ? await Promise.all(
        curves.map(async ({ panel, name, promql }) => ({
          panel,
          name,
          points: await prometheus.range(promql, startMs, endMs, scrapeEveryMs),
        })),
      )
    : ownCurves(scrapes)
  return { curves: drawn, startMs, ...times, endMs, alerts: [...alerts.values()] }
}
