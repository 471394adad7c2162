/**
 * oversubscribe: 1 to 8 × as many workers as cores, for work that computes and for work that waits
 *
 *     pnpm --filter 03-parallel start oversubscribe
 *     pnpm --filter 03-parallel start oversubscribe --latency 100 --requests 100
 *
 * The same work on more and more threads: counting primes, which needs a core all the time, and asking a rate server
 * for rates, one after the other on each thread, which mostly waits. (The rates are real; the server's latency is
 * simulated.)
 *
 * Look for: computing gains nothing beyond the number of cores; waiting keeps gaining, and each thread costs memory.
 * The last line has the best program on one thread: a sieve for the primes, the event loop for the waiting.
 */

import { divide } from '@repo/common/async/ranges'
import { coreCount } from '@repo/common/cores'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { interleave, median } from '@repo/common/measure'
import { describeCost } from '@repo/common/output/costs'
import { linePlot } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { bytes, count, howMany, milliseconds, table, times } from '@repo/common/output/terminal'
import { startProgram } from '@repo/common/process/child'
import { sievePrimes } from '@repo/common/workloads/primes'
import { mostPairs, type Pair, pairsOf } from '@repo/common/workloads/rates'
import { fetchRate } from '../src/currency/rates.ts'
import { countPrimesHere } from '../src/loops/primes.ts'
import type { PrimesTask } from '../src/loops/primes.worker.ts'
import { WorkerPool } from '../src/pool/pool.ts'
import { threads } from '../src/pool/workers.ts'

const file = (name: string) => new URL(`../src/${name}`, import.meta.url)

interface Row {
  workers: number
  /** The same trial division without a pool, on the main thread, in turn with the workers. */
  aloneMs: number
  computeMs: number
  waitMs: number
  /** The memory of each thread. */
  threadBytes: number
}

export default example(import.meta, {
  options: {
    limit: wholeNumber(1_000, 100_000_000).default(3_000_000).describe('count the primes below this number'),
    requests: wholeNumber(1, mostPairs).default(64).describe('rates to ask for'),
    latency: wholeNumber(0, 10_000).default(50).describe('mean latency of the rate server in ms'),
  },
  quick: { limit: 1_000_000, requests: 48, latency: 20 },

  async run({ limit, requests, latency }, { signal, quick, print, picture }) {
    const cores = coreCount()
    const sizes = [...new Set([1, cores / 2, cores, 2 * cores, 4 * cores, 8 * cores])].filter((size) => size >= 1)
    print(`1 to ${8 * cores} threads on ${howMany(cores, 'core')} …`)
    const forServer = { args: [String(latency), '1'], signal }
    await using server = await startProgram<{ address: string }>(file('currency/rate-server.program.ts'), forServer)
    const { address } = server.info
    const pairs = pairsOf(requests)
    const primes = await countPrimesHere(limit, signal)
    // Enough pieces to share them out evenly among any number of workers.
    const ranges = divide({ from: 0, to: limit }, 32 * cores)

    // For each number of workers two pools, whose turns alternate with those of this thread: one computes, one waits.
    using bar = progress('computing and waiting', 1)
    const rounds = quick ? 1 : 3
    const rows: Row[] = []
    for (const [at, workers] of sizes.entries()) {
      const before = process.memoryUsage.rss()
      await using computing = new WorkerPool<PrimesTask, number>(threads(file('loops/primes.worker.ts')), workers)
      await using waiting = new WorkerPool<{ address: string; pair: Pair }, number>(
        threads(file('currency/rate.worker.ts')),
        workers,
      )
      const { alone, compute, wait } = await interleave(
        {
          alone: () => countPrimesHere(limit, signal).then(() => {}),
          async compute() {
            const found = await Promise.all(ranges.map((range) => computing.run(range, { signal })))
            const sum = found.reduce((sum, primes) => sum + primes, 0)
            if (sum !== primes) throw new Error(`${workers} workers counted ${sum} primes, one thread ${primes}`)
          },
          async wait() {
            await Promise.all(pairs.map((pair) => waiting.run({ address, pair }, { signal })))
          },
        },
        { rounds, signal, onProgress: (done, of) => bar.update((at + done / of) / sizes.length) },
      )
      const threadBytes = Math.max(0, process.memoryUsage.rss() - before) / (2 * workers)
      rows.push({ workers, aloneMs: alone.ms, computeMs: compute.ms, waitMs: wait.ms, threadBytes })
    }
    // The best that one thread can do: a sieve instead of trial division, and one event loop that sends all requests at once.
    const { sieve, loop } = await interleave(
      {
        sieve: () => {
          const found = sievePrimes(0, limit)
          if (found !== primes) throw new Error(`the sieve counted ${found} primes, trial division ${primes}`)
        },
        loop: () => Promise.all(pairs.map((pair) => fetchRate(address, pair, signal))).then(() => {}),
      },
      { rounds, signal },
    )
    const costs = {
      computing: costOf(
        sieve.ms,
        rows.map(({ workers, computeMs: ms }) => ({ workers, ms })),
      ),
      waiting: costOf(
        loop.ms,
        rows.map(({ workers, waitMs: ms }) => ({ workers, ms })),
      ),
    }

    const serial = { computeMs: median(rows.map(({ aloneMs }) => aloneMs)), waitMs: rows[0]?.waitMs ?? Number.NaN }
    const over = (speedup: (row: Row) => number) => rows.map((row) => ({ x: row.workers, y: speedup(row) }))
    const svg = linePlot({
      title: `More workers than the ${howMany(cores, 'core')}`,
      subtitle: `${count(primes)} primes counted; ${requests} requests to a server that takes ${latency} ms on average`,
      x: { label: 'worker threads', type: 'log', ticks: sizes, tickFormat: String },
      y: { label: 'speedup', type: 'log', ticks: sizes, tickFormat: String },
      series: [
        { name: 'waiting', points: over(({ waitMs }) => serial.waitMs / waitMs) },
        { name: 'computing', points: over(({ computeMs }) => serial.computeMs / computeMs) },
        { name: 'as many times as workers', style: 'dashed', points: over(({ workers }) => workers) },
      ],
    })
    const path = await picture('oversubscribe.svg', svg)
    print(
      '',
      table(
        ['threads', 'computing', 'speedup', 'waiting', 'speedup', 'memory for each'],
        [
          ...rows.map((row) => [
            row.workers,
            milliseconds(row.computeMs),
            times(serial.computeMs / row.computeMs),
            milliseconds(row.waitMs),
            times(serial.waitMs / row.waitMs),
            bytes(row.threadBytes),
          ]),
          ['no pool', milliseconds(serial.computeMs), times(1), '', '', ''],
          [
            'its best',
            milliseconds(sieve.ms),
            times(serial.computeMs / sieve.ms),
            milliseconds(loop.ms),
            times(serial.waitMs / loop.ms),
            '',
          ],
        ],
      ),
      '',
      `Computing, by a sieve: ${describeCost(costs.computing, 'threads')}`,
      `Waiting, on the event loop: ${describeCost(costs.waiting, 'threads')}`,
      `Picture: ${path}`,
    )
    return { cores, primes, requests, latencyMs: latency, rows, serial, costs, picture: path }
  },
  figure: ({ rows, cores, serial, costs }) => {
    const { workers, computeMs, waitMs } = rows.at(-1) as Row
    return `${howMany(workers, 'thread')} on ${howMany(cores, 'core')}: computing ${times(serial.computeMs / computeMs)}, waiting ${times(serial.waitMs / waitMs)}; COST ${costs.computing.cost} and ${costs.waiting.cost}`
  },
})
