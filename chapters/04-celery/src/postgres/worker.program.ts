/** A worker on PostgreSQL. POSTGRES: a PostgresConnection as JSON. Arguments: name, concurrency, lock in ms. */
import { describeError } from '@repo/common/example/usage'
import { ready } from '@repo/common/process/ready'
import { sortInTable } from '../mergesort/postgres.ts'
import { tasks } from '../tasks/index.ts'
import { startPostgresWorker } from './layer.ts'
import type { PostgresConnection } from './postgres.ts'

const [name = '', concurrency = '16', lockMs = '30000'] = process.argv.slice(2)
try {
  const connection = JSON.parse(process.env.POSTGRES ?? '') as PostgresConnection
  const worker = await startPostgresWorker(connection, {
    name,
    concurrency: Number(concurrency),
    lockMs: Number(lockMs),
    tasks: [...tasks, sortInTable(connection)],
  })
  process.once('SIGTERM', async () => {
    await worker[Symbol.asyncDispose]()
    // The tasks' own connections.
    process.exit()
  })
  ready({ name })
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = 1
}
