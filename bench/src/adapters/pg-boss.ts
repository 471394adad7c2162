/** pg-boss. */
import { PgBoss } from 'pg-boss'
import type { Reach } from '../brokers/broker.ts'
import { postgresOptions } from '../brokers/postgres.ts'
import type { Adapter, Job } from './adapter.ts'

/** The shortest times that it accepts: between two looks for jobs, and for jobs whose worker is gone. */
const [pollingSeconds, superviseSeconds] = [0.5, 1]

const bossOf = (reach: Reach, isWorker: boolean) => {
  const boss = new PgBoss({
    ...postgresOptions(reach),
    max: isWorker ? 10 : 2,
    supervise: isWorker,
    schedule: false,
    superviseIntervalSeconds: superviseSeconds,
    monitorIntervalSeconds: superviseSeconds,
    useListenNotify: isWorker,
  })
  boss.on('error', () => {})
  return boss
}

export const pgBoss: Adapter = {
  async prepare(reach, queue, { leaseMs }) {
    const boss = bossOf(reach, false)
    await boss.start()
    // Its heartbeats take 10 s at least. A job that has not ended by then is given to another worker.
    await boss.createQueue(queue, { retryLimit: 1_000, expireInSeconds: leaseMs / 1_000, notify: true })
    await boss.stop({ graceful: false })
  },
  async open(reach, queue) {
    const boss = bossOf(reach, false)
    await boss.start()
    return {
      send: (jobs) =>
        boss.insert(
          queue,
          jobs.map((data) => ({ data })),
        ),
      async left() {
        const [stats] = await boss.getQueueStats(queue)
        return (stats?.queuedCount ?? 0) + (stats?.activeCount ?? 0)
      },
      close: () => boss.stop({ graceful: false }),
    }
  },
  async work({ reach, queue, concurrency }, run) {
    const boss = bossOf(reach, true)
    await boss.start()
    const options = {
      // A full batch means that there is more: without this it would wait before it looks again.
      batchSize: concurrency,
      burstWhenBatchFull: true,
      pollingIntervalSeconds: pollingSeconds,
      notifyPollingIntervalSeconds: pollingSeconds,
    }
    await boss.work<Job>(queue, options, async (jobs) => void (await Promise.all(jobs.map(({ data }) => run(data)))))
    return { stop: () => boss.stop() }
  },
}
