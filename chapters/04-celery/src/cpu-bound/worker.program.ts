/** A worker of `cpu-bound`. Arguments: prefix, name, lock in ms, how often a task may lose its worker. */
import { fileURLToPath } from 'node:url'
import { describeError } from '@repo/common/example/usage'
import { ready } from '@repo/common/process/ready'
import { Worker } from 'bullmq'
import { startWorker } from '../worker/worker.ts'
import { inAThread, inSlices, onTheEventLoop, sandboxed } from './tasks.ts'

const [prefix = '', name = '', lock = '', redeliveries = ''] = process.argv.slice(2)
const url = process.env.REDIS_URL ?? ''
const lockMs = Number(lock)
const maxRedeliveries = Number(redeliveries)

try {
  const worker = await startWorker({
    url,
    prefix,
    name,
    lockMs,
    maxRedeliveries,
    tasks: [onTheEventLoop, inSlices, inAThread],
    queues: [onTheEventLoop.queue ?? ''],
    concurrency: 1,
  })
  // The layer takes functions; only BullMQ's own worker takes a processor in a file.
  const sandbox = new Worker(sandboxed.queue ?? '', fileURLToPath(new URL('./sandbox.ts', import.meta.url)), {
    connection: { url },
    prefix,
    name,
    lockDuration: lockMs,
    stalledInterval: lockMs,
    maxStalledCount: maxRedeliveries,
  })
  sandbox.on('error', () => {})
  await sandbox.waitUntilReady()
  process.on('SIGTERM', () => void Promise.all([worker.close({ graceMs: 0 }), sandbox.close(true)]))
  ready({ name })
  await worker.closed
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = 1
}
