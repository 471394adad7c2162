/** bee-queue. */
import BeeQueue from 'bee-queue'
import type { Reach } from '../brokers/broker.ts'
import { redisUrl } from '../brokers/redis.ts'
import type { Adapter, Job } from './adapter.ts'

/** It loads its scripts only when it opens: a Redis that was restarted does not know them. */
const isForgotten = (error: unknown) => error instanceof Error && error.message.includes('NOSCRIPT')

async function openQueue(reach: Reach, name: string, settings: BeeQueue.QueueSettings) {
  const queue = new BeeQueue<Job>(name, { redis: { url: redisUrl(reach) }, removeOnSuccess: true, ...settings })
  queue.on('error', () => {})
  await queue.ready()
  return queue
}

export const bee: Adapter = {
  async open(reach, name) {
    const open = () => openQueue(reach, name, { isWorker: false, getEvents: false })
    let queue = await open()
    return {
      async send(jobs) {
        const created = jobs.map((each) => {
          const job = queue.createJob(each)
          return each.ledger === undefined ? job : job.setId(`${each.ledger}-${each.job}`)
        })
        // It returns errors instead of throwing them.
        for (const error of (await queue.saveAll(created)).values()) {
          if (isForgotten(error)) {
            void queue.close().catch(() => {})
            queue = await open()
          }
          throw error
        }
      },
      async left() {
        const { waiting, active, delayed } = await queue.checkHealth()
        return waiting + active + delayed
      },
      close: () => queue.close(),
    }
  },
  async work({ reach, queue: name, concurrency, leaseMs }, run) {
    const queue = await openQueue(reach, name, { getEvents: false, sendEvents: false, stallInterval: leaseMs })
    queue.process(concurrency, async ({ data }) => await run(data))
    // Only this makes it put back the jobs of dead workers.
    await queue.checkStalledJobs(leaseMs)
    const { promise: lost, reject } = Promise.withResolvers<never>()
    queue.on('error', (error) => isForgotten(error) && reject(error))
    return { stop: () => queue.close(), lost }
  },
}
