/** BullMQ itself, on Redis and on PostgreSQL. */
import { createPostgresBackend, Queue, runMigrations, Worker } from 'bullmq'
import { Pool } from 'pg'
import type { Reach } from '../brokers/broker.ts'
import { postgresOptions } from '../brokers/postgres.ts'
import { redisUrl } from '../brokers/redis.ts'
import type { Adapter } from './adapter.ts'

const schema = 'bullmq'

// #region adapter
function on(connectionOf: (reach: Reach) => object, factory?: typeof createPostgresBackend): Adapter {
  const backend = factory as undefined
  return {
    async open(reach, name) {
      const queue = new Queue(name, { connection: connectionOf(reach) }, backend)
      queue.on('error', () => {})
      await queue.waitUntilReady()
      return {
        send: (jobs) =>
          queue.addBulk(
            jobs.map((data) => ({
              name: 'job',
              data,
              opts: { removeOnComplete: true, ...(data.ledger && { jobId: `${data.ledger}-${data.job}` }) },
            })),
          ),
        async left() {
          const counts = await queue.getJobCounts('waiting', 'active', 'delayed')
          return Object.values(counts).reduce((sum, count) => sum + count, 0)
        },
        close: () => queue.close(),
      }
    },
    async work({ reach, queue, concurrency, leaseMs }, run) {
      const worker = new Worker(
        queue,
        async ({ data }) => await run(data),
        {
          connection: connectionOf(reach),
          concurrency,
          lockDuration: leaseMs,
          stalledInterval: leaseMs,
          maxStalledCount: 1_000,
        },
        backend,
      )
      worker.on('error', () => {})
      await worker.waitUntilReady()
      return { stop: () => worker.close() }
    },
  }
}
// #endregion adapter

export const bullmq = on((reach) => ({ url: redisUrl(reach), maxRetriesPerRequest: null }))

export const bullmqOnPostgres: Adapter = {
  ...on((reach) => ({ ...postgresOptions(reach), max: 4, schema }), createPostgresBackend),
  async prepare(reach) {
    const pool = new Pool({ ...postgresOptions(reach), max: 1 })
    try {
      await runMigrations(pool, schema)
    } finally {
      await pool.end()
    }
  },
}
