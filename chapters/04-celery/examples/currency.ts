/**
 * currency: exchange rates as tasks: sent together, done by worker processes, collected as they finish
 *
 * Run it, from anywhere in the repository; it starts Redis and workers itself, or uses those of REDIS_URL:
 *
 *     pnpm --filter 04-celery start currency
 *     pnpm --filter 04-celery start currency --pairs 200 --workers 4
 *     pnpm --filter 04-celery start currency --no-workers --timeout 500
 *
 * The rates are real, those of one day from the npm package @fawazahmed0/currency-api. The time that each takes is
 * simulated, and depends only on the currency and the seed. One of the tasks asks for a currency that does not exist.
 *
 * Look for: the total time, compared with one after the other, and with one thread whose event loop waits for all; the
 * failure, which does not affect the other tasks; and with --no-workers, what a queue does without workers: it keeps the
 * tasks, and waiting for them needs a timeout.
 */
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { flag, seedNumber, wholeNumber, workerCount } from '@repo/common/example/options'
import { describeError } from '@repo/common/example/usage'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds, table, times } from '@repo/common/output/terminal'
import { latencyOf, mostPairs, pairsOf, readDistantRate } from '@repo/common/workloads/rates'
import { gather } from '../src/queue/results.ts'
import { startSystem } from '../src/system.ts'
import { rate } from '../src/tasks/canvas.ts'

export default example(import.meta, {
  options: {
    pairs: wholeNumber(1, mostPairs).default(40).describe('pairs of currencies'),
    latency: wholeNumber(0, 10_000).default(200).describe('mean time in ms that a rate takes (simulated)'),
    workers: workerCount(64).describe('worker processes to start if none are running'),
    concurrency: wholeNumber(1, 1_000).default(10).describe('tasks that a worker runs at once'),
    seed: seedNumber().default(1).describe('seed of the simulated times'),
    noWorkers: flag().describe('starts no workers: waits until the timeout, then purges the queue'),
    timeout: wholeNumber(1, 600_000).default(60_000).describe('ms to wait for all results'),
  },
  quick: { pairs: 20, latency: 100 },

  async run({ pairs: pairCount, latency, workers, concurrency, seed, noWorkers, timeout }, { signal, print }) {
    await using system = await startSystem({
      workers: noWorkers ? 0 : workers,
      args: ['--concurrency', String(concurrency)],
      signal,
      // Without workers it uses its own keys: it must not purge what others have sent.
      alone: noWorkers,
    })
    const { client, workerNames } = system
    const pairs = pairsOf(pairCount)
    print(`${count(pairs.length)} rates from ${howMany(workerNames.length, 'worker process')} …`)
    using _bar = progress('waiting for the rates')

    // #region send
    // Sends one task for each pair, and one that will fail.
    const begin = performance.now()
    const asked = { latencyMs: latency, seed }
    const results = await client.sendMany(
      rate,
      pairs.map((pair) => ({ ...pair, ...asked })),
    )
    const failing = await client.send(rate, { from: 'usd', to: 'atlantis', ...asked })
    // #endregion send
    const sentMs = performance.now() - begin
    const serialMs = pairs.reduce((sum, { from }) => sum + latencyOf(from, seed, latency), 0)
    const common = { pairs: pairs.length, workers: workerNames.length, sentMs, serialMs }

    // Without workers the wait ends with its timeout, and the tasks stay in the queue.
    if (noWorkers) {
      const error = await gather(results, { timeoutMs: timeout, signal }).catch((thrown: Error) => thrown)
      const waitedMs = performance.now() - begin - sentMs
      const purged = await client.purge('default')
      print(
        `Sent in ${milliseconds(sentMs)}, and no worker runs. The wait ended after ${milliseconds(waitedMs)}:`,
        `  ${describeError(error)}`,
        `The tasks are still there, for a worker that may come. Purged: ${purged}.`,
      )
      const measured = { ms: null, bestSerialMs: null, cost: null }
      return { ...common, ...measured, rates: {}, failed: null, purged, error: describeError(error) }
    }

    // With workers the results arrive as tasks finish; `gather` returns them in the order in which they were sent.
    const rates = await gather(results, { timeoutMs: timeout, signal })
    const ms = performance.now() - begin
    const failed = await failing.get({ timeoutMs: timeout, signal }).then(
      () => null,
      (error: Error) => error.message,
    )

    // The best plain program for tasks that only wait: the event loop of one thread waits for all of them at once.
    const loopBegin = performance.now()
    const plain = await Promise.all(pairs.map((pair) => readDistantRate(pair, { meanMs: latency, seed, signal })))
    const cost = costOf(performance.now() - loopBegin, [{ workers: workerNames.length, ms }])
    if (plain.some(({ rate }, at) => rate !== rates[at]?.rate)) throw new Error('the workers found other rates')
    print(
      '',
      table(
        ['pair', 'rate', 'worker'],
        rates.slice(0, 5).map(({ from, to, rate, worker }) => [`${from}/${to}`.toUpperCase(), String(rate), worker]),
      ),
      '',
      `${count(rates.length)} rates of ${rates[0]?.date} in ${milliseconds(ms)}: sent in ${milliseconds(sentMs)}, then waited.`,
      `One after the other they take ${milliseconds(serialMs)} of waiting alone: ${times(serialMs / ms)} as fast.`,
      describeCost(cost),
      `One more failed, and did not affect the others: ${failed}.`,
    )
    const byPair = Object.fromEntries(rates.map(({ from, to, rate }) => [`${from}/${to}`, rate]))
    return { ...common, ms, ...cost, rates: byPair, failed, purged: null, error: null }
  },
  figure: ({ pairs, workers, ms, serialMs, cost }) =>
    ms === null
      ? `${pairs} rates asked for, no worker`
      : `${pairs} rates from ${howMany(workers, 'worker')} in ${milliseconds(ms)}, ${times(serialMs / ms)} as fast as one by one; COST ${cost}`,
})
