/**
 * currency: exchange rates from a slow server, one by one, with a thread for each, and on the event loop alone
 *
 *     pnpm --filter 03-parallel start currency
 *     pnpm --filter 03-parallel start currency --pairs 100 --latency 1000
 *     pnpm --filter 03-parallel start currency --live     # asks latest.currency-api.pages.dev
 *
 * The example starts a rate server in a process of its own. Its rates are real, those of one day from the npm package
 * @fawazahmed0/currency-api. Its slowness is simulated: a latency for each currency that depends only on the seed.
 *
 * Look for: threads and the event loop both wait for all answers at once, but the threads take longer; and the memory
 * of each way. A program that waits needs no threads.
 */
import { isDeepStrictEqual } from 'node:util'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { flag, seedNumber, wholeNumber } from '@repo/common/example/options'
import { interleave, median } from '@repo/common/measure'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { bytes, count, milliseconds, table, times } from '@repo/common/output/terminal'
import { startProgram } from '@repo/common/process/child'
import { mostPairs, pairsOf, type Rate } from '@repo/common/workloads/rates'
import { type CurrencyReport, type CurrencyRequest, onTheEventLoop, type WayName } from '../src/currency/currency.ts'
import { liveAddress } from '../src/currency/rates.ts'

const serverProgram = new URL('../src/currency/rate-server.program.ts', import.meta.url)
const currencyProgram = new URL('../src/currency/currency.program.ts', import.meta.url)

const labels = {
  sequentially: 'one after the other',
  onThreads: 'a thread for each pair',
  onTheEventLoop: 'the event loop alone',
}

export default example(import.meta, {
  options: {
    pairs: wholeNumber(1, mostPairs).default(20).describe('pairs of currencies'),
    latency: wholeNumber(0, 10_000).default(200).describe('mean latency of the rate server in ms'),
    seed: seedNumber().default(1).describe('decides the latencies'),
    live: flag().describe("ask the project's public address instead of a server of our own"),
  },
  quick: { pairs: 10, latency: 100 },

  async run({ pairs: pairCount, latency, seed, live }, { signal, quick, print }) {
    const pairs = pairsOf(pairCount)
    print(`The rates of ${count(pairs.length)} pairs from ${live ? liveAddress : 'a server of our own'} …`)
    const forServer = { args: [String(latency), String(seed)], signal }
    await using server = live ? undefined : await startProgram<{ address: string }>(serverProgram, forServer)
    const address = server?.info.address ?? liveAddress
    // All requests at once, on this thread. If the server does not answer, the reader learns it here.
    const rates = byPair(await onTheEventLoop(address, pairs, signal))

    // Each way again in a process of its own, so that none hides the memory that another needs.
    const reports: Record<WayName, CurrencyReport[]> = { sequentially: [], onThreads: [], onTheEventLoop: [] }
    const ask = (way: WayName) => async () => {
      const args = [JSON.stringify({ way, address, pairs } satisfies CurrencyRequest)]
      const options = { args, signal, readyTimeoutMs: 600_000 }
      await using program = await startProgram<CurrencyReport | { error: string }>(currencyProgram, options)
      const report = program.info
      if ('error' in report) throw new Error(report.error)
      reports[way].push(report)
      if (!live && !isDeepStrictEqual(byPair(report.rates), rates)) throw new Error('two ways got different rates')
      return report.ms
    }
    using bar = progress('asking', 1)
    const timed = await interleave(
      {
        // Each request waits for the answer to the one before.
        sequentially: ask('sequentially'),
        // A thread for each pair waits for its answer and puts the rate into a result queue.
        onThreads: ask('onThreads'),
        // One thread sends all requests, and the event loop handles each answer when it comes.
        onTheEventLoop: ask('onTheEventLoop'),
      },
      { rounds: live || quick ? 1 : 2, signal, onProgress: (done, total) => bar.update(done / total) },
    )

    const ways = (Object.keys(labels) as WayName[]).map((way) => ({
      way,
      ms: timed[way].ms,
      peakBytes: median(reports[way].map(({ peakBytes }) => peakBytes)),
      addedBytes: median(reports[way].map(({ startBytes, peakBytes }) => peakBytes - startBytes)),
    }))
    const [slowest, threads, loop] = ways
    // One thread and its event loop are the best plain program.
    const cost = costOf(loop?.ms ?? Number.NaN, [{ workers: pairs.length, ms: threads?.ms ?? Number.NaN }])
    const perThread = ((threads?.addedBytes ?? 0) - (loop?.addedBytes ?? 0)) / pairs.length
    print(
      '',
      table(
        ['pair', 'rate'],
        [...rates].slice(0, 5).map(([pair, rate]) => [pair.toUpperCase(), String(rate)]),
      ),
      '',
      table(
        [`${count(pairs.length)} pairs`, 'time', 'speedup', 'memory', 'of which for the work'],
        ways.map(({ way, ms, peakBytes, addedBytes }) => {
          const speedup = times((slowest?.ms ?? 0) / ms)
          return [labels[way], milliseconds(ms), speedup, bytes(peakBytes), bytes(addedBytes)]
        }),
      ),
      '',
      'Memory: the largest resident set of the process that did it, and how much that is above its start.',
      `A thread costs ${bytes(perThread)} more than a pending promise.`,
      describeCost(cost, 'threads'),
    )
    const date = reports.sequentially[0]?.rates[0]?.date
    const latencyMs = live ? null : latency
    return { pairs: pairs.length, date, latencyMs, ways, ...cost, rates: Object.fromEntries(rates) }
  },
  figure: ({ pairs, ways: [slowest, threads, loop], cost }) =>
    `${pairs} rates: ${milliseconds(slowest?.ms ?? 0)} one by one, ${milliseconds(threads?.ms ?? 0)} on threads, ${milliseconds(loop?.ms ?? 0)} on the event loop; COST ${cost}`,
})

/** The rates by their pairs, as in `usd/eur`. */
function byPair(rates: Rate[]): Map<string, number> {
  return new Map(rates.map(({ from, to, rate }) => [`${from}/${to}`, rate]))
}
