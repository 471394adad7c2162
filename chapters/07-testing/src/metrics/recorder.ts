/** Records the golden signals while something happens: by Prometheus, or by scrapes of our own. */
import { setTimeout as delay } from 'node:timers/promises'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { curves, type Drawn, ownCurves } from './golden-signals.ts'
import { startPrometheus } from './prometheus.ts'
import { type Scrape, scrape, scrapeEveryMs } from './scraper.ts'

export interface Recorded {
  curves: Drawn[]
  /** The alerts that fired, each once, with the time since the start. Without Prometheus there are no alerts. */
  alerts: { name: string; summary: string; ms: number }[]
}

export interface Recorder extends AsyncDisposable {
  /** When it began, in ms, as Date.now() returns it. */
  startMs: number
  /** Records for a moment longer, then returns everything. */
  stop: () => Promise<Recorded>
}

/**
 * @param targets the folder with the metrics endpoints' addresses (file_sd)
 * @param withPrometheus whether Prometheus scrapes the metrics and evaluates the rules; otherwise they are scraped here
 */
export async function recordSignals(
  targets: string,
  { withPrometheus, signal }: { withPrometheus: boolean; signal: AbortSignal },
): Promise<Recorder> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder())
  const prometheus = withPrometheus
    ? stack.use(await startPrometheus({ targets, folder: folder.path, signal }))
    : undefined
  const startMs = Date.now()
  const scrapes: Scrape[] = []
  const alerts = new Map<string, Recorded['alerts'][number]>()
  const ended = new AbortController()
  async function watch() {
    while (!ended.signal.aborted) {
      if (prometheus) {
        for (const { name, summary } of await prometheus.firing())
          if (!alerts.has(name)) alerts.set(name, { name, summary, ms: Date.now() - startMs })
      } else scrapes.push(await scrape(targets))
      await delay(scrapeEveryMs, undefined, { signal: AbortSignal.any([ended.signal, signal]) }).catch(() => {})
    }
  }
  const watching = watch()
  watching.catch(() => {})
  stack.defer(() => ended.abort())
  const owned = stack.move()
  return {
    startMs,
    async stop() {
      await delay(2 * scrapeEveryMs, undefined, { signal })
      ended.abort()
      await watching
      const endMs = Date.now()
      const drawn = prometheus
        ? await Promise.all(
            curves.map(async ({ panel, name, promql }) => {
              return { panel, name, points: await prometheus.range(promql, startMs, endMs, scrapeEveryMs) }
            }),
          )
        : ownCurves(scrapes)
      return { curves: drawn, alerts: [...alerts.values()] }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
