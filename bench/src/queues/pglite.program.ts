/** PostgreSQL in a process of its own, in memory: PGlite, behind a port of the loopback interface, with BullMQ's tables. */
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import { ready } from '@repo/common/process/ready'
import { runMigrations } from 'bullmq'

const db = await PGlite.create()
// A migration is many statements in one text, which only `exec` takes.
await runMigrations(
  {
    async query<R>(text: string, params: readonly unknown[] = []) {
      if (params.length > 0) return await db.query<R>(text, [...params])
      const results = await db.exec(text)
      return { rows: (results.at(-1)?.rows ?? []) as R[] }
    },
  },
  'bullmq',
)
// All connections share this one session.
await db.exec('set search_path to bullmq, public')
const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 50 })
await server.start()
process.once('SIGTERM', () => process.exit())
ready({ port: Number(server.getServerConn().split(':').at(-1)) })
