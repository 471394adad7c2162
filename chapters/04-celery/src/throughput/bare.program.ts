/** A worker of bare BullMQ whose jobs do nothing. REDIS_URL; arguments: queue, prefix, concurrency. */
import { ready } from '@repo/common/process/ready'
import { Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { keptSeconds } from '../queue/settings.ts'

const [queue = '', prefix = '', concurrency = '1'] = process.argv.slice(2)
const connection = new Redis(process.env.REDIS_URL ?? '', { maxRetriesPerRequest: null })
const worker = new Worker(queue, async () => null, {
  connection,
  prefix,
  concurrency: Number(concurrency),
  // The layer keeps its results as long.
  removeOnComplete: { age: keptSeconds.succeeded },
})
worker.on('error', (error) => process.stderr.write(`${error.message}\n`))
process.on('SIGTERM', () => void worker.close().then(() => connection.disconnect()))
await worker.waitUntilReady()
ready()
