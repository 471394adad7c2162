/**
 * PostgreSQL inside this process, for BullMQ where no Redis can be had: PGlite, which is PostgreSQL compiled to WebAssembly,
 * in memory, behind a socket that worker processes can reach as well.
 *
 * It is one session, whoever connects, and it does one query at a time. What follows from that: the path on which tables
 * are looked for is set once and for all, and nobody is woken up by NOTIFY, so those who wait ask often (`waiting`).
 */
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { freePort } from '@repo/common/process/ports'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { createPostgresBackend, runMigrations, withBackend } from 'bullmq'
import { serveDatabase } from './socket.ts'

/** BullMQ's classes on PostgreSQL. */
export const { Queue, Worker, QueueEvents } = withBackend(createPostgresBackend)

/** What those classes are told, and what JSON can carry to another process. */
export type PostgresConnection = {
  /** A name, or the folder of a Unix socket. */
  host: string
  port: number
  user: string
  database: string
  /** Connections of each queue or worker. */
  max: number
  schema: string
}

/** Options by which a worker and those who wait for results ask PGlite often enough; seconds and milliseconds. */
export const waiting = { worker: { drainDelay: 0.1 }, events: { blockingTimeout: 100 } }

export interface PostgresServer extends AsyncDisposable {
  connection: PostgresConnection
  /** As the server tells it, such as `17.5`. */
  version: string
}

const schema = 'bullmq'

/** Starts it, with BullMQ's tables; disposing of it ends it with all its data. */
export async function startPostgres(): Promise<PostgresServer> {
  await using stack = new AsyncDisposableStack()
  const db = await PGlite.create()
  stack.defer(() => db.close())
  // A migration is many statements in one text, which only `exec` takes.
  const migrated = {
    async query<R>(text: string, params: readonly unknown[] = []) {
      if (params.length > 0) return await db.query<R>(text, [...params])
      const results = await db.exec(text)
      return { rows: (results.at(-1)?.rows ?? []) as R[] }
    },
  }
  await runMigrations(migrated, schema)
  await db.exec(`set search_path to ${schema}, public`)
  const { rows } = await db.query<{ version: string }>("select current_setting('server_version') as version")

  // PGlite asks nobody for a password. In a folder of this user's own nobody else reaches it; Windows has no such sockets.
  const folder = stack.use(await temporaryFolder())
  const isWindows = process.platform === 'win32'
  const port = isWindows ? await freePort() : 5432
  const host = isWindows ? '127.0.0.1' : folder.path
  const place = isWindows ? { host, port } : { path: join(folder.path, `.s.PGSQL.${port}`) }
  stack.use(await serveDatabase(db, place))
  const owned = stack.move()
  return {
    connection: { host, port, user: 'postgres', database: 'postgres', max: 3, schema },
    version: rows[0]?.version ?? '',
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
