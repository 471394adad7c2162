/**
 * metrics: the four golden signals of the pipeline, while a worker is killed and started again, and the alerts that
 * fire
 *
 *     pnpm --filter 07-testing start metrics
 *     pnpm --filter 07-testing start metrics --rate 100 --seconds 30
 *     pnpm --filter 07-testing start metrics --scraper own
 *
 * Each process counts and measures, and serves the results at /metrics on its own port. A real Prometheus scrapes them
 * twice a second, records them, and evaluates the rules in src/metrics/rules.yml, which promtool has checked. If
 * Prometheus is missing, the example scrapes the metrics and computes the curves itself.
 *
 * Look for: which signal first shows that a worker is missing, and which does not show it at all.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { example } from '@repo/common/example/example'
import { number, oneOf, seedNumber, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { largest, smallest } from '@repo/common/extremes'
import { progress } from '@repo/common/output/progress'
import { bold, howMany, milliseconds, red, table } from '@repo/common/output/terminal'
import { temporaryFolder } from '@repo/common/process/temporary'
import { type Drawn, drawSignals } from '../src/metrics/golden-signals.ts'
import { checkRules, findPrometheus, installPrometheus } from '../src/metrics/prometheus.ts'
import { recordSignals } from '../src/metrics/recorder.ts'
import { ordersOf, placeOrders, stockFor } from '../src/pipeline/load.ts'
import { startPipeline } from '../src/pipeline/pipeline.ts'
import { observed } from '../src/watch/observe.ts'

export default example(import.meta, {
  options: {
    rate: number(1, 1_000).default(120).describe('orders per second'),
    seconds: wholeNumber(3, 600).default(21).describe('how long; a third with a worker less'),
    scraper: oneOf('auto', 'prometheus', 'own').default('auto').describe('who fetches the metrics'),
    seed: seedNumber().default(1).describe('for the orders'),
  },
  quick: { seconds: 4 },

  async run({ rate, seconds, scraper, seed }, { signal, print, picture }) {
    const wanted = Math.round(rate * seconds)
    const most = Math.floor(20_000 / rate)
    if (wanted > 20_000) throw new UsageError('--seconds', seconds, `at most ${most} at --rate ${rate}: 20,000 orders`)
    const version = scraper === 'own' ? undefined : await findPrometheus()
    if (scraper === 'prometheus' && !version)
      throw new UsageError('--scraper', scraper, `auto or own where Prometheus is missing: ${installPrometheus}`)
    if (version) print(`Prometheus ${version}: ${await checkRules()}.`)
    else if (scraper === 'own') print('Fetching the metrics without Prometheus …')
    else
      print(`Prometheus is missing: ${installPrometheus}. The example fetches the metrics itself; alerts are left out.`)

    const orders = ordersOf(seed, wanted)
    const thirdMs = (1000 * wanted) / rate / 3
    const third = milliseconds((seconds * 1000) / 3)
    print(
      `${howMany(wanted, 'order')}, ${rate} per second; payment 1 is killed after ${third} and started again ${third} later …`,
    )
    // Metrics are switched on: each process serves them on its own port, and writes the port to a file in this folder.
    await using targets = await temporaryFolder()
    // Two workers can do 200 payments per second, one can do 100.
    const shape = { workers: { payment: 2, shipping: 2 }, concurrency: 4, slowMs: [30, 50] as const, lockMs: 1_000 }
    const watched = observed({ metrics: targets.path })
    await using pipeline = await startPipeline({ stock: stockFor(orders), ...shape, ...watched, signal })

    // From here on the metrics are scraped twice a second, and the alerts are read.
    await using recorder = await recordSignals(targets.path, { withPrometheus: Boolean(version), signal })
    const { startMs } = recorder

    // Orders come in at a steady rate. In the middle third one of the two payment workers is dead.
    using bar = progress('placing orders', wanted)
    let accepted = 0
    const placing = placeOrders({ url: pipeline.url, orders, rate, signal, onAccepted: () => bar.update(++accepted) })
    placing.catch(() => {})
    await delay(thirdMs, undefined, { signal })
    await pipeline.kill('payment 1')
    const killedMs = Date.now()
    await delay(thirdMs, undefined, { signal })
    await pipeline.start('payment 1')
    const startedMs = Date.now()
    await placing
    await pipeline.drained({ signal })

    // Each golden signal is a query over the whole run.
    const { curves, alerts } = await recorder.stop()
    const ms = Date.now() - startMs
    const valuesIn = (points: Drawn['points'], from: number, to: number) =>
      points.filter(({ ms }) => ms >= from && ms <= to).map(({ value }) => value)
    const rows = curves.map(({ panel, name, points }) => ({
      panel,
      name,
      before: largest([0, ...valuesIn(points, 0, killedMs)]),
      during: largest([0, ...valuesIn(points, killedMs, startedMs)]),
      leastDuring: smallest(valuesIn(points, killedMs, startedMs)),
      after: points.at(-1)?.value ?? 0,
    }))
    const shown = (value: number) => value.toLocaleString('en', { maximumSignificantDigits: 2 })
    print(
      table(
        ['signal', 'curve', 'most before', 'most with a worker less', 'at the end'],
        rows.map(({ panel, name, before, during, after }) => [panel, name, shown(before), shown(during), shown(after)]),
      ),
      '',
    )
    if (version)
      print(
        bold('Alerts:'),
        ...alerts.map(({ name, ms, summary }) => `${(ms / 1000).toFixed(1).padStart(6)} s  ${red(name)}: ${summary}`),
        '',
      )
    const subtitle = `${rate} orders per second, ${version ? `Prometheus ${version}` : 'own scraper'}`
    const svg = drawSignals(curves, { killed: killedMs, started: startedMs }, subtitle)
    print(`Picture: ${await picture('metrics.svg', svg)}`)
    const points = Math.min(...curves.map(({ points }) => points.length))
    return { scraper: version ? 'prometheus' : 'own', orders: wanted, ms, signals: rows, alerts, points }
  },

  figure: ({ scraper, signals, alerts }) =>
    `${signals.length} curves, ${scraper === 'own' ? 'no alerts: Prometheus was left out' : `${alerts.length} alerts`}`,
})
