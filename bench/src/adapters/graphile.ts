/** graphile-worker. */
import { Logger, makeWorkerUtils, run as runWorker } from 'graphile-worker'
import { Pool } from 'pg'
import type { Reach } from '../brokers/broker.ts'
import { postgresOptions } from '../brokers/postgres.ts'
import type { Adapter, Job } from './adapter.ts'

const logger = new Logger(() => () => {})

function poolOf(reach: Reach, max: number) {
  const pool = new Pool({ ...postgresOptions(reach), max })
  // It replaces connections that are lost.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

export const graphile: Adapter = {
  async prepare(reach) {
    const pool = poolOf(reach, 1)
    const utils = await makeWorkerUtils({ pgPool: pool, logger })
    await utils.migrate()
    await utils.release()
    await pool.end()
  },
  async open(reach, identifier) {
    const pool = poolOf(reach, 2)
    const utils = await makeWorkerUtils({ pgPool: pool, logger })
    return {
      send: (jobs) =>
        utils.addJobs(
          jobs.map((payload) => ({
            identifier,
            payload,
            ...(payload.ledger !== undefined && { jobKey: `${payload.ledger} ${payload.job}` }),
          })),
        ),
      async left() {
        const { rows } = await pool.query<{ count: string }>('select count(*) from graphile_worker.jobs')
        return Number(rows[0]?.count)
      },
      async close() {
        await utils.release()
        await pool.end()
      },
    }
  },
  async work({ reach, queue, concurrency }, run) {
    const pool = poolOf(reach, concurrency + 2)
    const worker = await runWorker({
      pgPool: pool,
      concurrency,
      logger,
      noHandleSignals: true,
      taskList: { [queue]: async (payload) => await run(payload as Job) },
    })
    return {
      async stop() {
        await worker.stop()
        await pool.end()
      },
    }
  },
}
