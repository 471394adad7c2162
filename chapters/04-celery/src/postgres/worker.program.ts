/** A worker on PostgreSQL: BullMQ's own. POSTGRES is a PostgresConnection as JSON. Arguments: name, lock in ms. */
import { describeError } from '@repo/common/example/usage'
import { ready } from '@repo/common/process/ready'
import type { Redis } from 'ioredis'
import { UnknownTask } from '../queue/errors.ts'
import type { Message } from '../queue/message.ts'
import { defaultQueue } from '../queue/settings.ts'
import { tasks } from '../tasks/index.ts'
import { Run } from '../worker/run.ts'
import { type PostgresConnection, pglitePolling, Worker } from './postgres.ts'

const [name = '', lockMs = '30000'] = process.argv.slice(2)
const owner = {
  name,
  get data(): Redis {
    throw new Error('there is no Redis here')
  },
}

try {
  // #region worker
  const worker = new Worker<Message>(
    defaultQueue,
    async (job) => {
      const task = tasks.find((known) => known.name === job.name)
      if (!task) throw new UnknownTask(`no task of this worker is called "${job.name}"`)
      return await new Run(job, task, owner).start(job.data.args)
    },
    {
      connection: JSON.parse(process.env.POSTGRES ?? '') as PostgresConnection,
      name,
      concurrency: 16,
      lockDuration: Number(lockMs),
      stalledInterval: Number(lockMs),
      maxStalledCount: 5,
      ...pglitePolling.worker,
    },
  )
  // #endregion worker
  // BullMQ reconnects by itself.
  worker.on('error', () => {})
  await worker.waitUntilReady()
  process.once('SIGTERM', () => void worker.close())
  ready({ name })
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = 1
}
