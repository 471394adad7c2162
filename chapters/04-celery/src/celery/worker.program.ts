/**
 * A worker in TypeScript for Celery's clients: it serves one queue on the Redis of REDIS_URL until SIGTERM, then
 * finishes the tasks it has. Arguments: the queue's name, how many tasks it runs at a time, its lease in ms.
 */
import { describeError } from '@repo/common/example/usage'
import { ready } from '@repo/common/process/ready'
import { celeryTasks } from './tasks.ts'
import { serveCelery } from './worker.ts'

const [queue = 'celery', concurrency = '10', leaseMs = '15000'] = process.argv.slice(2)
const stop = new AbortController()
for (const name of ['SIGTERM', 'SIGINT']) process.once(name, () => stop.abort())
const onError = (error: unknown) => void process.stderr.write(`${describeError(error)}\n`)

try {
  await serveCelery(process.env.REDIS_URL ?? '', queue, celeryTasks, {
    concurrency: Number(concurrency),
    leaseMs: Number(leaseMs),
    signal: stop.signal,
    onReady: ready,
    onError,
  })
} catch (error) {
  onError(error)
  process.exitCode = 1
}
