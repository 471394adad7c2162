/**
 * What an example needs around it: Redis, worker processes and a client. It starts them and leaves nothing behind. If
 * REDIS_URL names a Redis, it uses that one, and the workers connected to it, if any.
 *
 *     await using system = await startSystem({ workers: 2, signal })
 *     const result = await system.client.send(echo, { text: 'hello' })
 */
import { randomUUID } from 'node:crypto'
import { type Program, startProgram } from '@repo/common/process/child'
import { type RedisServer, startRedis } from '@repo/common/servers/redis'
import { removeKeys as removeKeysBelow } from '@repo/common/servers/remove-keys'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { type Client, openClient } from './queue/client.ts'
import { ping } from './queue/control.ts'
import { defaultPrefix } from './queue/settings.ts'
import { queueSettings, routes } from './tasks/index.ts'

export interface SystemOptions {
  /** How many worker processes to start if none answer. With 0 it does not look for running ones. */
  workers: number
  /** Their command line, such as `['--queues', 'a,b', '--concurrency', '50']`. */
  args?: string[]
  signal?: AbortSignal
  /** Keeps an append-only file, for `redis.restart()`. */
  appendOnly?: boolean
  /** Always uses its own workers and keys, on any Redis: for examples that stop or disturb workers. */
  alone?: boolean
  /** Called with every line that a worker started here writes. */
  onLine?: (line: string) => void
}

/** A worker process started here. */
export type WorkerProcess = Program<{ name: string }>

export interface System extends AsyncDisposable {
  redis: RedisServer
  client: Client
  /** The processes started here; empty if workers were already running. */
  workers: WorkerProcess[]
  /** The names of all its workers, started here or already running. */
  workerNames: string[]
  /** Starts one more worker, with its own command line. */
  startWorker: (args?: string[], env?: NodeJS.ProcessEnv) => Promise<WorkerProcess>
}

/** Starts what is missing. */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { signal, appendOnly = false, alone = false, onLine } = options
  await using stack = new AsyncDisposableStack()
  const redis = stack.use(await startRedis({ signal, appendOnly }))
  const open = (prefix: string) => openClient({ url: redis.url, prefix, queueSettings, routes })

  // On a Redis that others use too, it has its own keys, and removes them at the end.
  let prefix = defaultPrefix
  let answering: string[] = []
  if (!redis.server) {
    if (!alone && options.workers > 0) {
      await using asking = await open(defaultPrefix)
      // A busy worker may take a long time to answer.
      answering = await ping(asking, { timeoutMs: 15_000 })
    }
    if (answering.length === 0) prefix = `celery-${randomUUID()}`
  }
  const client = await open(prefix)
  if (!redis.server && prefix !== defaultPrefix) stack.defer(() => removeKeys(client))

  const workers: WorkerProcess[] = []
  async function startWorker(args: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<WorkerProcess> {
    const worker = await startProgram<{ name: string }>(new URL('./tasks/worker.program.ts', import.meta.url), {
      args: ['--prefix', prefix, ...args],
      env: { REDIS_URL: redis.url, ...env },
      signal,
      readyTimeoutMs: 30_000,
      stopTimeoutMs: 10_000,
      ...(onLine && { onLine }),
    })
    workers.push(worker)
    return worker
  }
  // Closes the client first, because it would wait for the workers. Registered now, because a start may fail.
  stack.defer(async () => {
    await client[Symbol.asyncDispose]()
    await Promise.all(workers.map((worker) => worker.stop()))
  })
  if (answering.length === 0) {
    const started = await Promise.all(Array.from({ length: options.workers }, () => startWorker(options.args)))
    answering = started.map(({ info }) => info.name)
  }
  const owned = stack.move()
  return {
    redis,
    client,
    workers,
    workerNames: answering,
    startWorker,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Removes all keys with a client's prefix, on a connection of its own, because the client may be closed. */
export async function removeKeys({ redis, prefix }: Client) {
  const connection = redis.duplicate({ lazyConnect: false })
  try {
    await removeKeysBelow(connection, `${prefix}:`)
  } finally {
    connection.disconnect()
  }
}
