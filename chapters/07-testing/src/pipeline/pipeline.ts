/**
 * The order pipeline with real processes: a Redis, a front that takes orders over HTTP, and two kinds of workers.
 *
 *     await using pipeline = await startPipeline({ stock: { book: 10 }, workers: { payment: 2, shipping: 2 } })
 *     await placeOrders({ url: pipeline.url, orders: [order] })
 *     await pipeline.drained()
 *     await pipeline.store.stateOf(order.id)
 *
 * Each process is its own Node program. What it does with an order is in orders.ts. Logs, traces and metrics come from
 * a module that it loads (instruments.ts).
 */
import { randomUUID } from 'node:crypto'
import { until } from '@repo/common/async/until'
import { howMany } from '@repo/common/output/terminal'
import { type Program, startProgram } from '@repo/common/process/child'
import { type Proxy as Link, startProxy } from '@repo/common/servers/proxy'
import { type RedisServer, startRedis } from '@repo/common/servers/redis'
import { removeKeys } from '@repo/common/servers/remove-keys'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { Queue } from 'bullmq'
import { type Bug, type Order, type Stage, stages } from './orders.ts'
import { openQueues, unsentOrders } from './queues.ts'
import { RedisStore } from './redis-store.ts'
import { type ProcessSettings, type SetClock, workerNames } from './settings.ts'

export interface PipelineOptions {
  /** The number of each item. */
  stock: Record<string, number>
  /** The number of worker processes of each kind; 2 and 2 by default. */
  workers?: Record<Stage, number>
  /** The number of jobs that a worker has at once; 8 by default. */
  concurrency?: number
  /** How long a worker that sends no heartbeat keeps its jobs; 30 s by default, as in BullMQ. */
  lockMs?: number
  /** How long the simulated bank and packers take to answer, in ms; 5 to 25 by default. */
  slowMs?: readonly [least: number, most: number]
  bug?: Bug | undefined
  /** The front's port; a free one by default. */
  port?: number
  /** Puts a proxy between each process and Redis, to inject faults. */
  proxied?: boolean
  /**
   * Starts its own Redis, which keeps everything it has acknowledged even when killed; otherwise REDIS_URL is used if
   * set.
   */
  durable?: boolean
  /** A module whose default export is an `Instrument`; every process loads it before it does anything else. */
  instruments?: URL | string
  /** Added to the environment of every process, such as NODE_OPTIONS or LOG_LEVEL. */
  env?: NodeJS.ProcessEnv
  /** The error of each process's clock in ms, by process name. */
  clocks?: Record<string, number>
  /** Called with each line that a process writes to stdout or stderr. */
  onLine?: (name: string, line: string) => void
  /** Called when a process that was neither killed nor stopped ends. */
  onFailure?: (error: Error) => void
  signal?: AbortSignal
}

export interface Pipeline extends AsyncDisposable {
  /** The front's URL, such as http://127.0.0.1:34567. */
  url: string
  redis: RedisServer
  /** All keys of this pipeline begin with it. */
  prefix: string
  /** The owner's own connection to the store: history, stock, states. */
  store: RedisStore
  queues: Record<Stage, Queue<Order>>
  /** The processes running now: `front`, `payment 1`, `payment 2`, `shipping 1` … */
  processes: ReadonlyMap<string, Program<unknown>>
  /** With `proxied`: each process's link to Redis, by process name. */
  links: ReadonlyMap<string, Link>
  /** SIGKILL; fulfilled when the process is dead. */
  kill: (name: string) => Promise<void>
  /** Starts a process that was killed or stopped; fulfilled when it works again. */
  start: (name: string) => Promise<void>
  /** Sets the clock of a process wrong. It stays wrong when the process is restarted. */
  setClock: (name: string, offsetMs: number) => void
  /** Returns the number of jobs that are waiting, running, or delayed until their next try. */
  pending: () => Promise<number>
  /**
   * Fulfilled when nothing is pending, every placed order has its job, and nothing has happened for a moment; rejected
   * after `timeoutMs`, a minute by default.
   */
  drained: (options?: { timeoutMs?: number; signal?: AbortSignal }) => Promise<void>
}

/** A process that is killed instead loses its last log lines and spans. After Ctrl-C nobody wants to wait that long. */
const stopTimeoutMs = 30_000
const abortedStopTimeoutMs = 5_000
/** If nothing happens for this long, everything is done: it is longer than any step takes. */
const quietMs = 300

/**
 * Starts all processes; disposing of it stops them.
 *
 * @throws a one-line Error when there is no Redis, or the front's port is in use
 */
export async function startPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { workers = { payment: 2, shipping: 2 }, proxied = false, durable = false, signal } = options
  await using stack = new AsyncDisposableStack()
  signal?.throwIfAborted()
  // Without the signal: the processes need Redis for a graceful shutdown, so it ends last.
  const redis = stack.use(await startRedis({ appendOnly: durable, own: durable }))
  const prefix = `orders-${randomUUID().slice(0, 8)}`
  const store = stack.use(new RedisStore(redis.url, prefix))
  const { queues, close } = openQueues({ url: redis.url, prefix })
  stack.defer(close)
  if (!redis.server) stack.defer(() => removeKeys(store.redis, `${prefix}:`))
  await store.fill(options.stock)

  const names = ['front', ...workerNames(workers)]
  const links = new Map<string, Link>()
  const offsets = new Map(Object.entries(options.clocks ?? {}))
  const processes = new Map<string, Program<unknown>>()
  let port = options.port ?? 0

  let stopping = false
  const starts: Promise<void>[] = []
  function start(name: string): Promise<void> {
    const started = startProcess(name)
    starts.push(started)
    return started
  }
  async function startProcess(name: string) {
    const settings: ProcessSettings = {
      name,
      prefix,
      port,
      bug: options.bug,
      instruments: options.instruments && String(options.instruments),
      clockOffsetMs: offsets.get(name) ?? 0,
      concurrency: options.concurrency ?? 8,
      lockMs: options.lockMs ?? 30_000,
      slowMs: options.slowMs ?? [5, 25],
    }
    const link = links.get(name)
    const url = new URL(redis.url)
    if (link) url.host = `${link.host}:${link.port}`
    const file = name === 'front' ? './front.program.ts' : './worker.program.ts'
    const program = await startProgram<{ port?: number }>(new URL(file, import.meta.url), {
      args: [JSON.stringify(settings)],
      env: { ...options.env, REDIS_URL: url.href },
      signal,
      stopTimeoutMs,
      onLine: (line) => options.onLine?.(name, line),
    })
    processes.set(name, program)
    void program.exited.then(({ code, signal }) => {
      if (stopping || processes.get(name) !== program) return
      options.onFailure?.(new Error(`${name} ended by itself, with ${signal ?? `exit code ${code}`}`))
    })
    // It may have been set meanwhile.
    setClock(name, offsets.get(name) ?? 0)
    if (name === 'front') port = program.info.port ?? 0
  }
  function setClock(name: string, clockOffsetMs: number) {
    offsets.set(name, clockOffsetMs)
    const message: SetClock = { clockOffsetMs }
    processes.get(name)?.process.send(message)
  }

  if (proxied)
    for (const name of names) links.set(name, stack.use(await startProxy({ host: redis.host, port: redis.port })))
  stack.defer(async () => {
    stopping = true
    for (const link of links.values()) link.heal()
    // A process that is still starting is not in the map yet.
    await Promise.allSettled(starts)
    const programs = [...processes.values()]
    using _impatience = setTimeout(() => {
      if (signal?.aborted) for (const program of programs) program.process.kill('SIGKILL')
    }, abortedStopTimeoutMs)
    await Promise.all(programs.map((program) => program.stop()))
  })
  for (const result of await Promise.allSettled(names.map(start))) {
    if (result.status === 'fulfilled') continue
    const inUse = /EADDRINUSE.*?:(\d+)/.exec(String(result.reason))
    throw inUse ? new Error(`port ${inUse[1]} is in use: the front cannot listen there`) : result.reason
  }

  const pending = async () => {
    let count = 0
    // In stage order: an order on its way to the next queue is then counted at least once.
    for (const stage of stages) count += await queues[stage].getJobCountByTypes('wait', 'active', 'delayed')
    return count
  }
  const owned = stack.move()
  return {
    url: `http://127.0.0.1:${port}`,
    redis,
    prefix,
    store,
    queues,
    processes,
    links,
    start,
    setClock,
    pending,
    async kill(name) {
      const program = processes.get(name)
      processes.delete(name)
      await program?.kill()
    },
    async drained({ timeoutMs = 60_000, signal } = {}) {
      let seen = -1
      const isQuiet = async () => {
        const happened = await store.historyLength()
        const before = seen
        seen = happened
        if ((await pending()) > 0 || happened !== before) return false
        const unsent = await unsentOrders(store, queues)
        if (unsent.length > 0) throw new Error(`placed and without a job: ${howMany(unsent.length, 'order')}`)
        // An order that was sent in between is pending now, or more has happened.
        return (await pending()) === 0 && (await store.historyLength()) === happened
      }
      await until(isQuiet, { everyMs: quietMs, timeoutMs, signal, what: 'all jobs are done' })
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
