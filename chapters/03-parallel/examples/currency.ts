/**
 * currency: exchange rates from a slow server, one by one, with a thread for each, and on the event loop alone
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 03-parallel start currency
 *     pnpm --filter 03-parallel start currency --pairs 100 --latency 1000
 *     pnpm --filter 03-parallel start currency --live     # asks latest.currency-api.pages.dev
 *
 * The example starts a rate server in a process of its own. Its rates are real, those of one day from the npm package
 * @fawazahmed0/currency-api; its slowness is simulated: a latency for each currency that depends on the seed only.
 *
 * Look for: threads and event loop both wait for all answers at once, and the threads take longer for it; and the memory,
 * measured in a process of its own for each way. A program that waits needs no threads.
 */
import { example } from '@repo/common/example/example'
import { flag, wholeNumber } from '@repo/common/example/options'
import { interleave, median } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { bytes, count, milliseconds, table, times } from '@repo/common/output/terminal'
import { startProgram } from '@repo/common/process/child'
import { mostPairs, pairsOf } from '@repo/common/workloads/rates'
import type { CurrencyReport } from '../src/currency/currency.program.ts'
import type { WayName } from '../src/currency/currency.ts'
import { fetchRate, liveAddress } from '../src/currency/rates.ts'

const labels: Record<WayName, string> = {
  sequentially: 'one after the other',
  onThreads: 'a thread for each pair',
  onTheEventLoop: 'the event loop alone',
}

export default example(import.meta, {
  options: {
    pairs: wholeNumber(1, mostPairs).default(20).describe('pairs of currencies'),
    latency: wholeNumber(0, 10_000).default(200).describe('mean latency of the rate server in ms'),
    seed: wholeNumber(0, 2 ** 31 - 1)
      .default(1)
      .describe('for the latencies'),
    live: flag().describe("ask the project's public address instead of a server of our own"),
  },
  quick: { pairs: 10, latency: 100 },

  async run({ pairs: pairCount, latency, seed, live }, { signal, quick, print }) {
    const pairs = pairsOf(pairCount)
    print(`The rates of ${count(pairs.length)} pairs from ${live ? liveAddress : 'a server of our own'} …`)
    await using server = live
      ? undefined
      : await startProgram<{ address: string }>(new URL('../src/currency/rates.program.ts', import.meta.url), {
          args: [String(latency), String(seed)],
          signal,
        })
    const address = server?.info.address ?? liveAddress
    // Says at once, and once, when nobody answers.
    const [first] = pairs
    if (first) await fetchRate(address, first, signal)

    type Good = Exclude<CurrencyReport, { error: string }>
    const reports: Record<WayName, Good[]> = { sequentially: [], onThreads: [], onTheEventLoop: [] }
    const names = Object.keys(reports) as WayName[]
    const ask = (way: WayName) => async () => {
      const file = new URL('../src/currency/currency.program.ts', import.meta.url)
      const args = [JSON.stringify({ way, address, pairs })]
      await using program = await startProgram<CurrencyReport>(file, { args, signal, readyTimeoutMs: 600_000 })
      if ('error' in program.info) throw new Error(program.info.error)
      reports[way].push(program.info)
      return program.info.ms
    }
    using bar = progress('asking', 1)
    const timed = await interleave(
      { sequentially: ask('sequentially'), onThreads: ask('onThreads'), onTheEventLoop: ask('onTheEventLoop') },
      { rounds: live || quick ? 1 : 2, signal, onProgress: (done, total) => bar.update(done / total) },
    )

    const byPair = (report: Good) => new Map(report.rates.map(({ from, to, rate }) => [`${from}/${to}`, rate]))
    const rates = byPair(reports.sequentially[0] as Good)
    for (const report of live ? [] : names.flatMap((name) => reports[name])) {
      const same = byPair(report)
      if (same.size !== pairs.length || [...rates].some(([pair, rate]) => same.get(pair) !== rate)) {
        throw new Error('two ways got different rates')
      }
    }
    const ways = names.map((way) => ({
      way,
      ms: timed[way].ms,
      peakBytes: median(reports[way].map(({ peakBytes }) => peakBytes)),
      addedBytes: median(reports[way].map(({ startBytes, peakBytes }) => peakBytes - startBytes)),
    }))
    const [slowest, threads, loop] = ways
    print(
      '',
      table(
        ['pair', 'rate'],
        [...rates].slice(0, 5).map(([pair, rate]) => [pair.toUpperCase(), String(rate)]),
      ),
      '',
      table(
        [`${count(pairs.length)} pairs`, 'time', 'speedup', 'memory', 'of which for the work'],
        ways.map(({ way, ms, peakBytes, addedBytes }) => [
          labels[way],
          milliseconds(ms),
          times((slowest?.ms ?? 0) / ms),
          bytes(peakBytes),
          bytes(addedBytes),
        ]),
      ),
      '',
      'Memory: the largest resident set of the process that did it, and how much that is above its start.',
      `A thread costs ${bytes(((threads?.addedBytes ?? 0) - (loop?.addedBytes ?? 0)) / pairs.length)} more than a pending promise.`,
    )
    const date = reports.sequentially[0]?.rates[0]?.date
    return { pairs: pairs.length, date, latencyMs: live ? null : latency, ways, rates: Object.fromEntries(rates) }
  },
  figure: ({ pairs, ways: [slowest, threads, loop] }) =>
    `${pairs} rates: ${milliseconds(slowest?.ms ?? 0)} one by one, ${milliseconds(threads?.ms ?? 0)} on threads, ${milliseconds(loop?.ms ?? 0)} on the event loop`,
})
