/**
 * PGlite behind a socket, for several connections at a time.
 *
 * All connections share PGlite's one session, and so its one unnamed prepared statement. pglite-socket 0.2 gives turns to single
 * messages of the protocol; then the values that one client binds may meet the statement that another has just parsed.
 * Here a client keeps its turn for all messages up to the one that asks for the answer, and for a whole transaction.
 */
import { once } from 'node:events'
import { createServer, type ListenOptions } from 'node:net'
import type { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketHandler, type PGLiteSocketHandlerOptions } from '@electric-sql/pglite-socket'

/** Serves a database; disposing of it closes the socket and all connections, not the database. */
export async function serveDatabase(db: PGlite, place: ListenOptions): Promise<AsyncDisposable> {
  const turns = new Turns(db)
  const handlers = new Set<PGLiteSocketHandler>()
  const server = createServer((socket) => {
    // Its type is a class with private fields, which nothing else can be; these are the methods that it is asked for.
    const queryQueue = turns as unknown as PGLiteSocketHandlerOptions['queryQueue']
    const handler = new PGLiteSocketHandler({ queryQueue, closeOnDetach: true })
    handlers.add(handler)
    for (const end of ['error', 'close']) handler.addEventListener(end, () => handlers.delete(handler))
    void handler.attach(socket)
  })
  server.listen(place)
  await once(server, 'listening')
  return {
    async [Symbol.asyncDispose]() {
      server.close()
      await Promise.all([...handlers].map((handler) => handler.detach(true)))
      await turns.idle()
    },
  }
}

/** Messages of one connection that belong together. */
interface Batch {
  connection: number
  messages: Uint8Array[]
  onData: (data: Uint8Array) => void
  done: PromiseWithResolvers<number>
}

/** Parse, Bind, Describe, Execute, Close: answered after the Sync that follows. All others are answered at once. */
const isContinued = (message: Uint8Array) => 'PBDEC'.includes(String.fromCharCode(message[0] ?? 0))

/** Whose turn it is. The methods' names are those of pglite-socket's own queue. */
class Turns {
  readonly #db: PGlite
  readonly #unfinished = new Map<number, Uint8Array[]>()
  #waiting: Batch[] = []
  #running: Promise<void> | undefined
  /** The connection whose messages ran last: if they left a transaction open, it is its own. */
  #owner: number | undefined

  constructor(db: PGlite) {
    this.#db = db
  }

  /** Takes a message; fulfilled with the number of bytes that came back when it was run, or kept for those that follow. */
  async enqueue(connection: number, message: Uint8Array, onData: (data: Uint8Array) => void): Promise<number> {
    const messages = [...(this.#unfinished.get(connection) ?? []), message]
    if (isContinued(message)) {
      this.#unfinished.set(connection, messages)
      return 0
    }
    this.#unfinished.delete(connection)
    const done = Promise.withResolvers<number>()
    this.#waiting.push({ connection, messages, onData, done })
    this.#start()
    return await done.promise
  }

  #start() {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  async #run() {
    for (let batch = this.#next(); batch; batch = this.#next()) {
      const { messages, onData, done, connection } = batch
      let bytes = 0
      const onRawData = (data: Uint8Array) => {
        bytes += data.length
        onData(data)
      }
      try {
        await this.#db.runExclusive(async () => {
          for (const message of messages) await this.#db.execProtocolRawStream(message, { onRawData })
        })
        done.resolve(bytes)
      } catch (error) {
        done.reject(error)
      }
      this.#owner = connection
    }
  }

  #next(): Batch | undefined {
    const inTransaction = this.#db.isInTransaction()
    const at = inTransaction ? this.#waiting.findIndex(({ connection }) => connection === this.#owner) : 0
    return at < 0 ? undefined : this.#waiting.splice(at, 1)[0]
  }

  clearQueueForHandler(connection: number): void {
    this.#unfinished.delete(connection)
    for (const batch of this.#waiting) {
      if (batch.connection === connection) batch.done.reject(new Error('the connection was closed'))
    }
    this.#waiting = this.#waiting.filter((batch) => batch.connection !== connection)
  }

  /** What a client left open that is gone would keep all others waiting. */
  async clearTransactionIfNeeded(connection: number): Promise<void> {
    await this.#running
    if (this.#owner !== connection || !this.#db.isInTransaction()) return
    await this.#db.exec('ROLLBACK')
    this.#start()
  }

  async idle(): Promise<void> {
    await this.#running
  }
}
