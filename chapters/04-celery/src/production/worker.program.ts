/**
 * A worker for production. Its whole configuration comes from the environment, as a service manager sets it: see
 * config.ts. SIGTERM ends it in order: it is no longer ready, takes no more tasks, finishes those that run, and ends
 * with 0. Tasks that have not finished after WORKER_GRACE_SECONDS are given back, and another worker begins them anew.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { describeError, UsageError } from '@repo/common/example/usage'
import { logger } from '@repo/common/output/log'
import { ready } from '@repo/common/process/ready'
import { openClient } from '../queue/client.ts'
import { queueSettings, routes, tasks } from '../tasks/index.ts'
import { endOnSignals } from '../worker/signals.ts'
import { startWorker } from '../worker/worker.ts'
import { readConfig } from './config.ts'
import { startHealth } from './health.ts'

/** A Redis that has not answered after this time counts as gone. */
const answerMs = 2_000

async function main() {
  const config = readConfig(process.env)
  const log = logger('worker')
  const settings = {
    url: config.REDIS_URL,
    prefix: config.WORKER_PREFIX,
    queueSettings,
    routes,
    ...(config.WORKER_REDIS_CA !== undefined && { ca: config.WORKER_REDIS_CA }),
  }
  await using client = await openClient(settings)
  const worker = await startWorker({
    ...settings,
    tasks,
    log,
    queues: config.WORKER_QUEUES,
    concurrency: config.WORKER_CONCURRENCY,
    lockMs: config.WORKER_LOCK_SECONDS * 1_000,
    ...(config.WORKER_NAME !== undefined && { name: config.WORKER_NAME }),
  })
  // #region ends-in-order
  endOnSignals(worker, log, config.WORKER_GRACE_SECONDS * 1_000, () => process.exit(1))
  const check = async () => {
    const answers = Promise.race([client.redis.ping(), delay(answerMs, 'no answer', { ref: false })])
    const redis = await answers.catch((error: Error) => error.message)
    // A signal or remote control has ended it.
    const ending = worker.closing
    return { ok: redis === 'PONG' && !ending, ending, redis, ...worker.stats() }
  }
  await using health = await startHealth(check, { host: config.WORKER_HEALTH_HOST, port: config.WORKER_HEALTH_PORT })
  // #endregion ends-in-order

  log.info({ queues: worker.queues, health: health.port }, `${worker.name} is ready`)
  ready({ name: worker.name, healthPort: health.port })
  await worker.closed
  log.info({}, `${worker.name} has ended`)
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
