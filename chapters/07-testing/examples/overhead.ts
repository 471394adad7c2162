/**
 * overhead: what tracing, metrics and logging cost together, in throughput, measured in turn in one run
 *
 *     pnpm --filter 07-testing start overhead
 *     pnpm --filter 07-testing start overhead --share 1
 *     pnpm --filter 07-testing start overhead --watch logs
 *
 * The same orders go through two pipelines in turn, as fast as possible: one is not watched; the other has a log file
 * and metrics in every process, and traces every hundredth order.
 *
 * Look for: what watching costs, and what it costs to trace every order; and the COST in the last line, against a plain
 * program on one thread, which keeps its orders in memory and loses them when it dies.
 */
import { until } from '@repo/common/async/until'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { listOf, number, oneOf, wholeNumber } from '@repo/common/example/options'
import { interleave, median } from '@repo/common/measure'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, howMany, table } from '@repo/common/output/terminal'
import { temporaryFolder } from '@repo/common/process/temporary'
import { scrape } from '../src/metrics/scraper.ts'
import { shipAlone } from '../src/pipeline/alone.ts'
import { ordersOf, placeOrders, plenty } from '../src/pipeline/load.ts'
import { MemoryStore } from '../src/pipeline/memory-store.ts'
import type { Order } from '../src/pipeline/orders.ts'
import { type Pipeline, type PipelineOptions, startPipeline } from '../src/pipeline/pipeline.ts'
import { startCollector } from '../src/traces/collector.ts'
import { observed } from '../src/watch/observe.ts'

const kinds = ['logs', 'metrics', 'traces'] as const

/** Pairs of runs that are not counted, in addition to the round that `interleave` does not count. */
const warmUps = 4

export default example(import.meta, {
  options: {
    orders: wholeNumber(10, 20_000).default(3_000).describe('in each round'),
    rounds: wholeNumber(1, 50).default(8).describe('of two pairs each, after three that are not counted'),
    watch: listOf(oneOf(...kinds), `names out of ${kinds.join(', ')}`, { distinct: true })
      .default([...kinds])
      .describe('what is switched on'),
    share: number(0, 1).default(0.01).describe('of the orders that is traced'),
  },
  quick: { orders: 200, rounds: 3 },

  async run({ orders: wanted, rounds, watch, share }, { signal, print }) {
    print(`${howMany(wanted, 'order')} at a time, ${2 * rounds} times through each of two pipelines …`)
    await using folder = await temporaryFolder()
    await using collector = await startCollector()
    // Two pipelines: one that is not watched, and one with everything that was asked for. The bank and the packers
    // answer immediately, so that only the machine's own work is measured.
    const shape: PipelineOptions = { stock: plenty, concurrency: 32, slowMs: [0, 0], signal }
    const what = {
      logs: watch.includes('logs') ? folder.path : undefined,
      metrics: watch.includes('metrics') ? folder.path : undefined,
      traces: watch.includes('traces') ? { share } : undefined,
    }
    const watched = observed(what, collector.env)
    await using bare = await startPipeline(shape)
    await using full = await startPipeline({ ...shape, ...watched })

    using bar = progress('placing orders', 2 * warmUps + 5 * (rounds + 1))
    let runs = 0
    // Fresh ids, because the store knows the earlier orders. No refused cards: the queue would delay them on purpose.
    const freshOrders = () => {
      runs++
      return ordersOf(runs, wanted).map((order, at): Order => ({ ...order, id: `order-${runs}-${at}`, card: 'good' }))
    }
    /** Returns the time from the first order sent to the last one shipped. */
    async function run(pipeline: Pipeline) {
      const orders = freshOrders()
      const begin = performance.now()
      await placeOrders({ url: pipeline.url, orders, signal })
      const isDone = async () => (await pipeline.pending()) === 0
      await until(isDone, { everyMs: 5, timeoutMs: 120_000, signal, what: 'all orders are shipped' })
      bar.update(runs)
      return performance.now() - begin
    }
    /** The same on one thread, with the orders in memory. Returns its time. */
    function alone() {
      const orders = freshOrders()
      const begin = performance.now()
      const store = new MemoryStore(plenty)
      shipAlone(orders, store)
      const ms = performance.now() - begin
      const lost = orders.find(({ id }) => store.stateOf(id) !== 'shipped')
      if (lost) throw new Error(`${lost.id} is not shipped`)
      return ms
    }
    // Metrics cost something when they are scraped. Prometheus would scrape as often.
    using _scraping = setInterval(() => void scrape(folder.path).catch(() => {}), 5_000)
    // A service runs for days, and its code was compiled long ago.
    for (let round = 0; round < warmUps; round++) for (const pipeline of [bare, full]) await run(pipeline)
    // The pipelines take turns, and each goes first in every other pair: if the machine slows down, it does so for
    // both.
    // #region pairs
    const timings = await interleave(
      {
        bare: () => run(bare),
        full: () => run(full),
        fullAgain: () => run(full),
        bareAgain: () => run(bare),
        alone,
      },
      { rounds, signal },
    )
    // #endregion pairs
    const bareMs = [...timings.bare.samplesMs, ...timings.bareAgain.samplesMs]
    const fullMs = [...timings.full.samplesMs, ...timings.fullAgain.samplesMs]

    const perSecond = (ms: number) => (1000 * wanted) / ms
    // Compared within each pair, so that a slow moment of the machine cancels out.
    const watchingCosts = bareMs.map((ms, at) => 1 - ms / (fullMs[at] ?? Number.NaN))
    const watchingCost = median(watchingCosts)
    const cost = costOf(timings.alone.ms, [{ workers: bare.processes.size, ms: median(bareMs) }])
    const percentOf = (share: number) => `${(100 * share).toFixed(1)} %`
    print(
      table(
        ['pipeline', 'orders per second', 'slowest round', 'fastest round'],
        [row('not watched', bareMs), row(watch.join(', '), fullMs), row('one thread alone', timings.alone.samplesMs)],
      ),
      '',
      `Watching costs ${percentOf(watchingCost)} of the throughput (median of ${watchingCosts.length} pairs, ${percentOf(Math.min(...watchingCosts))} to ${percentOf(Math.max(...watchingCosts))}); ${percentOf(share)} of the orders are traced, ${count(collector.spans.length)} spans.`,
      describeCost(cost, 'processes'),
    )
    function row(name: string, samplesMs: number[]) {
      const times = [median(samplesMs), Math.max(...samplesMs), Math.min(...samplesMs)]
      return [name, ...times.map((ms) => count(Math.round(perSecond(ms))))]
    }
    const [barePerSecond, watchedPerSecond] = [bareMs, fullMs].map((samplesMs) => perSecond(median(samplesMs)))
    const spans = collector.spans.length
    const speeds = { barePerSecond, watchedPerSecond, ...cost }
    return { orders: wanted, rounds, watch, share, watchingCost, watchingCosts, spans, ...speeds }
  },

  figure: ({ watchingCost, cost }) =>
    `watching costs ${(100 * watchingCost).toFixed(1)} % of the throughput; COST ${cost} processes`,
})
