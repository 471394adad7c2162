/**
 * rq-workers: starts N workers of the smallest queue and stops them, with SIGTERM first and SIGKILL after a deadline
 *
 *     pnpm --filter 04-celery start rq-workers
 *     pnpm --filter 04-celery start rq-workers 4 --deadline 3000
 *
 * To keep them running until Ctrl-C for jobs from another terminal, with your Redis:
 *
 *     REDIS_URL=redis://:secret@127.0.0.1:6379 pnpm --filter 04-celery start rq-workers 4 --stay
 *
 * Each worker gets a job. The last job takes 4 s, the others next to nothing.
 *
 * Look for: which workers end by themselves, because SIGTERM lets a worker finish its job, and which one has to be
 * killed; and what became of the killed worker's job. A worker that is started later finds it and does it, and it has
 * exactly one result.
 */
import { once } from 'node:events'
import { until } from '@repo/common/async/until'
import { example } from '@repo/common/example/example'
import { flag, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { progress } from '@repo/common/output/progress'
import { howMany, milliseconds, table } from '@repo/common/output/terminal'
import { startAll } from '@repo/common/process/start-all'
import { startRedis } from '@repo/common/servers/redis'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { functions } from '../src/rq/functions.ts'
import { openQueue } from '../src/rq/rq.ts'
import { currencyQueue, startWorker } from '../src/rq/workers.ts'

const workerNumber = wholeNumber(1, 64)

export default example(import.meta, {
  options: {
    deadline: wholeNumber(100, 60_000).default(2_000).describe('ms from SIGTERM to SIGKILL'),
    lease: wholeNumber(500, 600_000)
      .default(3_000)
      .describe('ms without a heartbeat after which a worker counts as dead'),
    stay: flag().describe('serve jobs from other programs until Ctrl-C; needs REDIS_URL'),
  },
  operands: '[N]',
  quick: { lease: 1_000, deadline: 1_000 },

  async run({ deadline, lease, stay }, { operands: [given = '2', ...more], signal, quick, print }) {
    const parsed = workerNumber.safeParse(given)
    if (!parsed.success || more.length > 0)
      throw new UsageError('N', [given, ...more].join(' '), 'how many workers, a whole number from 1 to 64')
    if (stay && !process.env.REDIS_URL) {
      throw new UsageError('--stay', 'no REDIS_URL', 'a Redis in REDIS_URL, which the other programs can reach as well')
    }
    // Start the workers.
    await using stack = new AsyncDisposableStack()
    const redis = stack.use(await startRedis())
    const name = stay ? currencyQueue : `rq-workers-${process.pid}`
    const queue = stack.use(await openQueue(redis.url, name, functions))
    if (!stay) stack.defer(() => queue.clear())
    const options = { leaseMs: lease, stopTimeoutMs: deadline }
    const start = () => startWorker(redis.url, name, { ...options, signal })
    const workers = await startAll(stack, Array.from({ length: parsed.data }, start))
    print(`${howMany(workers.length, 'worker')} at ${redis.maskedUrl}: ${workers.map(({ pid }) => pid).join(', ')}`)
    if (stay) {
      print(`They serve the queue "${name}". Ctrl-C stops them: SIGTERM, and SIGKILL after ${milliseconds(deadline)}.`)
      if (!signal.aborted) await once(signal, 'abort')
    }

    // Give each worker a job, and wait until all jobs have begun.
    using bar = progress('waiting for the workers')
    const [shortNapMs, longNapMs] = quick ? [100, 2_500] : [300, 4_000]
    const naps = stay ? [] : workers.map((_, at) => (at < workers.length - 1 ? shortNapMs : longNapMs))
    const ids = await Promise.all(naps.map((ms) => queue.enqueue('nap', ms)))
    const jobsNow = async () => (await Promise.all(ids.map((id) => queue.job(id)))).flatMap((job) => job ?? [])
    const allBegan = async () => (await jobsNow()).every(({ status }) => status !== 'queued')
    await until(allBegan, { timeoutMs: 60_000, signal })

    // Stop all workers: SIGTERM, and SIGKILL to those that are not done by the deadline.
    const begin = performance.now()
    const ends = await Promise.all(
      workers.map(async (worker) => ({ pid: worker.pid, ...(await worker.stop()), ms: performance.now() - begin })),
    )
    const before = await jobsNow()
    print(
      '',
      table(
        ['worker', 'ended by', 'after SIGTERM'],
        ends.map(({ pid, signal, code, ms }) => [String(pid), signal ?? `itself, exit code ${code}`, milliseconds(ms)]),
      ),
    )

    // Start one more worker if a job is left, and wait for all results.
    const abandoned = before.filter(({ status }) => status === 'started').length
    if (abandoned > 0) {
      bar.update(0, 'a new worker waits until the killed one counts as dead')
      stack.use(await start())
    }
    for (const id of ids) await queue.result(id, { timeoutMs: lease * 3 + longNapMs + 60_000, signal })
    const after = await jobsNow()
    if (stay) return { workers: ends, abandoned, jobs: [] }
    print(
      '',
      table(
        ['job', 'when the workers were gone', 'in the end', 'begun', 'result'],
        after.map(({ status, attempts, result }, at) => {
          return [`nap ${result}`, before[at]?.status ?? '', status, attempts, `${result}`]
        }),
      ),
    )
    const jobs = after.map(({ status, attempts, result }) => ({ status, attempts, result }))
    return { workers: ends, abandoned, jobs }
  },
  figure: ({ workers, abandoned }) =>
    `${howMany(workers.length, 'worker')} stopped, ${workers.filter(({ signal }) => signal).length} killed, ${abandoned} job run again`,
})
