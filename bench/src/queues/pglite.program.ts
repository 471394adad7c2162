/**
 * PGlite with BullMQ's tables in a process of its own, so that the client's event loop does not run the database as
 * well.
 */
import { ready } from '@repo/common/process/ready'
import { startPostgres } from '04-celery/postgres/postgres'

const server = await startPostgres()
process.once('SIGTERM', async () => {
  await server[Symbol.asyncDispose]()
  process.exit()
})
ready(server.connection)
