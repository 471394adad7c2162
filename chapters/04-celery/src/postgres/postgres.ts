/**
 * PostgreSQL inside this process, for BullMQ where no Redis can be had: PGlite, which is PostgreSQL compiled to
 * WebAssembly. Its data is in memory, and other processes reach it through a socket.
 *
 * All connections share one session, which runs one statement at a time. Two things follow: the schema in which tables
 * are looked up is set once for all, and NOTIFY wakes nobody, so those who wait must poll (`pglitePolling`).
 */
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { createPostgresBackend, runMigrations, withBackend } from 'bullmq'

/** BullMQ's classes on PostgreSQL. */
export const { Queue, Worker, QueueEvents } = withBackend(createPostgresBackend)

/** The option `connection` of those classes. It can travel to another process as JSON. */
export type PostgresConnection = {
  /** A host's name, or the folder of a Unix socket. */
  host: string
  port: number
  user: string
  database: string
  /** Connections of each queue or worker. */
  max: number
  schema: string
}

/** Options that let workers (in seconds) and listeners (in ms) poll PGlite ten times a second. */
export const pglitePolling = { worker: { drainDelay: 0.1 }, events: { blockingTimeout: 100 } }

export interface PostgresServer extends AsyncDisposable {
  connection: PostgresConnection
  /** As the server reports it, such as `17.5`. */
  version: string
}

const schema = 'bullmq'
const maxConnections = 200

/** Starts PGlite with BullMQ's tables; disposing of it ends it, and its data is gone. */
export async function startPostgres(): Promise<PostgresServer> {
  await using stack = new AsyncDisposableStack()
  const db = await PGlite.create()
  stack.defer(() => db.close())
  // A migration is a text with many statements, which only `exec` takes.
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

  // PGlite asks for no password. Only this user can reach a socket in this folder; Windows has no such sockets.
  const folder = stack.use(await temporaryFolder())
  const isWindows = process.platform === 'win32'
  const place = isWindows ? { host: '127.0.0.1', port: 0 } : { path: join(folder.path, '.s.PGSQL.5432') }
  const server = new PGLiteSocketServer({ db, maxConnections, ...place })
  Object.assign(server, { queryQueue: new WholeStatements(db) })
  await server.start()
  stack.defer(() => server.stop())
  const port = Number(isWindows ? server.getServerConn().split(':').at(-1) : 5432)
  const owned = stack.move()
  return {
    connection: { host: place.host ?? folder.path, port, user: 'postgres', database: 'postgres', max: 3, schema },
    version: rows[0]?.version ?? '',
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/**
 * Gives the connections turns, a whole statement each. It replaces the queue of pglite-socket 0.2, which gives turns to
 * single messages of the protocol: in the one session that all connections share, the values that one client binds
 * could then meet the statement that another has just parsed. The methods' names are those of that queue.
 */
class WholeStatements {
  readonly #db: PGlite
  readonly #unfinished = new Map<number, Uint8Array[]>()

  constructor(db: PGlite) {
    this.#db = db
  }

  /** Keeps a message until the statement's last one comes, then runs them all. Returns how many bytes came back. */
  async enqueue(connection: number, message: Uint8Array, onData: (data: Uint8Array) => void): Promise<number> {
    const messages = [...(this.#unfinished.get(connection) ?? []), message]
    // Parse, Bind, Describe, Execute and Close are answered after the Sync that follows, all others at once.
    if ('PBDEC'.includes(String.fromCharCode(message[0] ?? 0))) {
      this.#unfinished.set(connection, messages)
      return 0
    }
    this.#unfinished.delete(connection)
    let bytes = 0
    const onRawData = (data: Uint8Array) => {
      bytes += data.length
      onData(data)
    }
    await this.#db.runExclusive(async () => {
      for (const each of messages) await this.#db.execProtocolRawStream(each, { onRawData })
    })
    return bytes
  }

  clearQueueForHandler(connection: number): void {
    this.#unfinished.delete(connection)
  }

  /** Nothing to do: BullMQ's statements are transactions of their own. */
  async clearTransactionIfNeeded(): Promise<void> {}

  getQueueLength(): number {
    return this.#unfinished.size
  }
}
