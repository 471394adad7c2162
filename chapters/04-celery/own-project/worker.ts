/** A worker program of your own, for settings that `worker --tasks` has no options for. It needs REDIS_URL. */
// #region worker
import { logger } from '@repo/common/output/log'
import { endOnSignals } from '04-celery/worker/signals'
import { startWorker } from '04-celery/worker/worker'
import * as tasks from './tasks.ts'

const log = logger('worker')
const worker = await startWorker({
  url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379',
  tasks: Object.values(tasks),
  queues: ['default'],
  concurrency: 16,
  log,
})
log.info({ queues: worker.queues }, `${worker.name} is ready`)
// After Ctrl-C or SIGTERM it takes no more tasks, and the running ones have 30 s to finish.
endOnSignals(worker, log, 30_000, () => process.exit(1))
await worker.closed
// #endregion worker
