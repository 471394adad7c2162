/**
 * rq-currency: exchange rates from workers behind the smallest reliable queue; the client hands in jobs and polls for results
 *
 *     pnpm --filter 04-celery start rq-currency
 *     pnpm --filter 04-celery start rq-currency --pairs 100 --workers 4
 *
 * It starts Redis and workers of its own. With your Redis in REDIS_URL it uses the workers that already run there:
 *
 *     REDIS_URL=redis://:secret@127.0.0.1:6379 pnpm --filter 04-celery start rq-workers --stay      # in another terminal
 *     REDIS_URL=redis://:secret@127.0.0.1:6379 pnpm --filter 04-celery start rq-currency
 *
 * The rates are real: those of one day, from the npm package @fawazahmed0/currency-api. Their latency is simulated.
 *
 * Look for: how often the client asks in vain, because nothing tells it when a job has ended; and the job that fails:
 * its error is in Redis, with the line of the worker's program, and the other jobs are not affected.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, howMany, milliseconds, table } from '@repo/common/output/terminal'
import { startAll } from '@repo/common/process/start-all'
import { startRedis } from '@repo/common/servers/redis'
import { mostPairs, pairsOf, type Rate, readDistantRate } from '@repo/common/workloads/rates'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { functions } from '../src/rq/functions.ts'
import { type Job, openQueue } from '../src/rq/rq.ts'
import { currencyQueue, startWorker } from '../src/rq/workers.ts'

const patienceMs = 60_000

export default example(import.meta, {
  options: {
    pairs: wholeNumber(1, mostPairs).default(20).describe('pairs of currencies'),
    latency: wholeNumber(0, 10_000).default(200).describe('mean time in ms that a rate takes (simulated)'),
    workers: wholeNumber(1, 64).default(2).describe('worker processes to start where none run'),
    poll: wholeNumber(1, 10_000).default(50).describe('ms between two polls of the client'),
  },
  quick: { pairs: 8, latency: 100 },

  async run({ pairs: pairCount, latency, workers: workerCount, poll }, { signal, print }) {
    // Open the queue, and start workers unless some serve it already.
    await using stack = new AsyncDisposableStack()
    const redis = stack.use(await startRedis())
    const queue = stack.use(await openQueue(redis.url, currencyQueue, functions))
    const running = (await queue.counts()).workers
    const starting = Array.from({ length: running > 0 ? 0 : workerCount }, () =>
      startWorker(redis.url, currencyQueue, { signal }),
    )
    await startAll(stack, starting)
    const workers = running || workerCount
    const pairs = pairsOf(pairCount)
    print(`${count(pairs.length)} rates from ${workers} ${running ? 'running' : 'own'} workers at ${redis.maskedUrl} …`)

    // Enqueue a job for each pair, and one for a country that does not exist: this one fails.
    const begin = performance.now()
    const ids = await Promise.all(pairs.map(({ from, to }) => queue.enqueue('rate', from, to, latency)))
    ids.push(await queue.enqueue('rate', 'usd', 'atlantis', latency))
    stack.defer(async () => void (await Promise.all(ids.map((id) => queue.forget(id)))))
    const enqueuedMs = performance.now() - begin

    // Poll: ask for every job that has not ended yet, again and again.
    using bar = progress('waiting for the rates', ids.length)
    const ended = new Map<string, Job>()
    let polls = 0
    let lastEndAt = begin
    // #region poll
    while (ended.size < ids.length) {
      // The workers may belong to another program, and may have gone.
      const silentMs = performance.now() - lastEndAt
      if (silentMs > patienceMs) throw new Error(`no job has ended for ${milliseconds(patienceMs)}`)
      await delay(poll, undefined, { signal })
      polls++
      for (const job of await Promise.all(ids.filter((id) => !ended.has(id)).map((id) => queue.job(id)))) {
        if (job?.status !== 'finished' && job?.status !== 'failed') continue
        ended.set(job.id, job)
        lastEndAt = performance.now()
      }
      bar.update(ended.size)
    }
    // #endregion poll
    const ms = performance.now() - begin

    // The best plain program for jobs that only wait: the event loop of one thread waits for all of them at once.
    const loopBegin = performance.now()
    const plain = await Promise.all(pairs.map((pair) => readDistantRate(pair, { meanMs: latency, signal })))
    const cost = costOf(performance.now() - loopBegin, [{ workers, ms }])

    // A failed job has its error, and is in the list of failed jobs.
    const jobs = ids.flatMap((id) => ended.get(id) ?? [])
    const failed = jobs.filter(({ status }) => status === 'failed')
    const inFailedList = new Set(await queue.failed())
    const rates = jobs.flatMap(({ result }) => (result ? [result as Rate] : []))
    const known = new Map(plain.map(({ from, to, rate }) => [`${from}/${to}`, rate]))
    if (rates.some(({ from, to, rate }) => known.get(`${from}/${to}`) !== rate)) {
      throw new Error('the workers found other rates')
    }
    const lasted = (from = 0, to = 0) => milliseconds(to - from)
    const rows = jobs.map(({ status, result, enqueuedAt, startedAt, endedAt }, at) => {
      const { from, to } = pairs[at] ?? { from: 'usd', to: 'atlantis' }
      const rate = result ? String((result as Rate).rate) : ''
      return [`rate ${from}/${to}`, status, rate, lasted(enqueuedAt, startedAt), lasted(startedAt, endedAt)]
    })
    print(
      '',
      table(['job', 'status', 'result', 'waited', 'ran'], [...rows.slice(0, 3), ...rows.slice(pairs.length - 1)]),
      '',
      `${count(rates.length)} rates in ${milliseconds(ms)}: ${milliseconds(enqueuedMs)} to hand in the jobs, then ${count(polls)} polls, one every ${poll} ms.`,
      describeCost(cost),
      ...failed.map(
        ({ error, stack = '' }) =>
          `Failed: ${error} (${/\S+\.ts:\d+/.exec(stack)?.[0].replace(/.*\//, '') ?? ''}), in the list of failed jobs.`,
      ),
    )
    return {
      pairs: pairs.length,
      workers,
      ms,
      ...cost,
      enqueuedMs,
      polls,
      rates,
      failed: failed.map(({ id, error }) => ({ error, inFailedList: inFailedList.has(id) })),
    }
  },
  figure: ({ pairs, workers, ms, polls, cost }) =>
    `${pairs} rates from ${howMany(workers, 'worker')} in ${milliseconds(ms)}, ${polls} polls; COST ${cost}`,
})
