/** Chapter 4's layer on BullMQ. */
import { openClient } from '04-celery/queue/client'
import { defineTask, signature } from '04-celery/queue/task'
import { startWorker } from '04-celery/worker/worker'
import { z } from 'zod'
import { redisUrl } from '../brokers/redis.ts'
import type { Adapter, Job } from './adapter.ts'

const task = defineTask({
  name: 'job',
  ignoreResult: true,
  args: z.object({ job: z.number(), ledger: z.string().optional() }),
})

/** A task with a key has a result: sent again, it is the same task. */
const optionsOf = ({ ledger, job }: Job) =>
  ledger === undefined ? {} : { idempotencyKey: `${ledger} ${job}`, ignoreResult: false }

export const layer: Adapter = {
  async open(reach, prefix) {
    const client = await openClient({ url: redisUrl(reach), prefix })
    return {
      send: (jobs) => client.sendAll(jobs.map((job) => signature(task, job, optionsOf(job)))),
      async left() {
        const counts = await client.queue('default').getJobCounts('waiting', 'active', 'delayed', 'prioritized')
        return Object.values(counts).reduce((sum, count) => sum + count, 0)
      },
      close: () => client[Symbol.asyncDispose](),
    }
  },
  async work({ reach, queue, concurrency, leaseMs }, run) {
    const own: typeof task = {
      ...task,
      async run(job) {
        await run(job)
        return null
      },
    }
    const settings = { url: redisUrl(reach), prefix: queue, concurrency, lockMs: leaseMs, maxRedeliveries: 1_000 }
    const worker = await startWorker({ ...settings, tasks: [own] })
    return { stop: () => worker.close() }
  },
}
