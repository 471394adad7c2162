/**
 * A worker: runs the tasks of index.ts, or of a file of your own, that come to its queues, until SIGTERM or Ctrl-C;
 * running tasks are finished first.
 *
 *     REDIS_URL=redis://:password@host:6379 pnpm --filter 04-celery worker --queues default,mail --concurrency 16
 *     REDIS_URL=… pnpm --filter 04-celery worker --autoscale 2,32 --name worker-2
 *     REDIS_URL=… pnpm --filter 04-celery worker --tasks my-tasks.ts
 *
 * A second signal gives running tasks back, for another worker to run from the beginning, and ends at once.
 * LOG_LEVEL=debug also logs each task that succeeded.
 */
import { program, type Values } from '@repo/common/example/command-line'
import { UsageError } from '@repo/common/example/usage'
import { logger } from '@repo/common/output/log'
import { ready } from '@repo/common/process/ready'
import { startRedis } from '@repo/common/servers/redis'
import { autoscale } from '../worker/autoscale.ts'
import { endOnSignals } from '../worker/signals.ts'
import { startWorker } from '../worker/worker.ts'
import * as chapter from './index.ts'
import { loadTasks } from './load-tasks.ts'
import { options } from './worker-options.ts'

async function run(given: Values<typeof options>) {
  if (!process.env.REDIS_URL) {
    const how = 'the Redis that senders use too, as redis://[user:password@]host[:port]'
    throw new UsageError('REDIS_URL', undefined, how)
  }
  const { tasks, routes, queueSettings } = given.tasks === undefined ? chapter : await loadTasks(given.tasks)
  const [min, max] = given.autoscale ?? []
  // Checks the server, and says what is wrong with it.
  const redis = await startRedis()
  const log = logger('worker')
  const worker = await startWorker({
    url: redis.url,
    tasks,
    queueSettings,
    routes,
    log,
    queues: given.queues,
    prefix: given.prefix,
    concurrency: min ?? given.concurrency,
    lockMs: given.lock * 1000,
    ...(given.name && { name: given.name }),
  })
  using _scaling = min !== undefined && max !== undefined ? autoscale(worker, { min, max, log }) : undefined

  endOnSignals(worker, log, given.grace * 1_000, () => process.exit(1))
  const { concurrency, queues } = worker.stats()
  const own = given.tasks !== undefined && { tasks: tasks.map(({ name }) => name) }
  log.info({ queues, concurrency, ...own, redis: redis.maskedUrl }, `${worker.name} is ready`)
  ready({ name: worker.name })
  await worker.closed
  log.info({}, `${worker.name} has ended`)
}

await program({
  usage: 'REDIS_URL=redis://[user:password@]host:port pnpm --filter 04-celery worker [options]',
  text: 'worker: runs the tasks of chapter 4, or your own, that come to its queues, until SIGTERM or Ctrl-C',
  options,
  run,
})
