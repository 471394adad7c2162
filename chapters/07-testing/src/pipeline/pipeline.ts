/**
 * The order pipeline with real processes: a Redis, a front that takes orders over HTTP, and two kinds of workers.
 *
 *     await using pipeline = await startPipeline({ stock: { book: 10 }, workers: { payment: 2, shipping: 2 } })
 *     await fetch(`${pipeline.url}/orders`, { method: 'POST', body: JSON.stringify(order) })
 *     await pipeline.drained()
 *     await pipeline.store.stateOf(order.id)
 *
 * Each process is a `*.program.ts` of its own in a Node of its own. What happens in it is in orders.ts; logs, traces and
 * metrics are put in by `instruments` (instruments.ts).
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Program, startProgram } from '@repo/common/process/child'
import { type Proxy as Link, startProxy } from '@repo/common/servers/proxy'
import { type RedisServer, startRedis } from '@repo/common/servers/redis'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { Queue } from 'bullmq'
import { type Bug, type Order, type Stage, stages } from './orders.ts'
import { openQueues } from './queues.ts'
import { RedisStore } from './redis-store.ts'
import { type ProcessSettings, workerNames } from './settings.ts'
import type { SetClock } from './skewed-clock.ts'

export interface PipelineOptions {
  /** How many there are of each item. */
  stock: Record<string, number>
  /** Worker processes of each kind; 2 and 2. */
  workers?: Record<Stage, number>
  /** Jobs that a worker has at a time; 8. */
  concurrency?: number
  /** How long a worker without a sign of life keeps its jobs; 30 s, as is BullMQ's own default. */
  lockMs?: number
  /** How long, in ms, the bank and the packers take at least and at most for an answer; simulated; 5 to 25. */
  slowMs?: readonly [least: number, most: number]
  bug?: Bug | undefined
  /** Of the front; a free one when not given. */
  port?: number
  /** Puts a proxy between each process and Redis, for faults. */
  proxied?: boolean
  /** A server of its own, that keeps what it has answered when it is killed; else REDIS_URL's, where it is set. */
  durable?: boolean
  /** A module that exports an `Instrument` as default; every process loads it before it does anything else. */
  instruments?: URL | string
  /** Added to the environment of every process, such as NODE_OPTIONS or LOG_LEVEL. */
  env?: NodeJS.ProcessEnv
  /** By how many ms the clock of a process is wrong, by its name. */
  clocks?: Record<string, number>
  /** Called with each line that a process writes to either output. */
  onLine?: (name: string, line: string) => void
  /** Called when a process ends that was neither killed nor stopped. */
  onFailure?: (error: Error) => void
  signal?: AbortSignal
}

export interface Pipeline extends AsyncDisposable {
  /** Of the front, as in http://127.0.0.1:34567. */
  url: string
  redis: RedisServer
  /** Of all keys of this pipeline. */
  prefix: string
  /** A connection to the store of the owner's own: history, stock, states. */
  store: RedisStore
  queues: Record<Stage, Queue<Order>>
  /** `front`, `payment 1`, `payment 2`, `shipping 1` …: the processes that run now. */
  processes: ReadonlyMap<string, Program<unknown>>
  /** With `proxied`: each process's link to Redis, by its name. */
  links: ReadonlyMap<string, Link>
  /** SIGKILL; fulfilled when the process is dead. */
  kill: (name: string) => Promise<void>
  /** Starts a worker again that was killed; fulfilled when it takes jobs. */
  start: (name: string) => Promise<void>
  /** Sets the clock of a process wrong; it stays so when the process is started again. */
  setClock: (name: string, offsetMs: number) => void
  /** How many jobs wait, run, or wait for being tried again. */
  pending: () => Promise<number>
  /** Fulfilled when nothing is pending and nothing has happened for a moment; rejected after a minute, or `timeoutMs`. */
  drained: (options?: { timeoutMs?: number; signal?: AbortSignal }) => Promise<void>
}

/** Whoever is killed before it has ended in order loses its last log lines and spans; but after Ctrl-C nobody wants to wait. */
const stopTimeoutMs = 30_000
const abortedStopTimeoutMs = 5_000
/** In which nothing happens when all is done: longer than any step takes. */
const quietMs = 300

/**
 * Starts all processes; disposing of it stops them.
 *
 * @throws an Error of one line when there is no Redis, or the front's port is in use
 */
export async function startPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { workers = { payment: 2, shipping: 2 }, proxied = false, durable = false, signal } = options
  await using stack = new AsyncDisposableStack()
  signal?.throwIfAborted()
  // Without the signal: it ends last, for the others need it to end in order.
  const redis = stack.use(await startRedis({ appendOnly: durable, own: durable }))
  const prefix = `orders-${randomUUID().slice(0, 8)}`
  const store = stack.use(new RedisStore(redis.url, prefix))
  const { queues, close } = openQueues({ url: redis.url, prefix })
  stack.defer(close)
  if (!redis.server) stack.defer(() => removeKeys(store, prefix))
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
    // The clock may have been set meanwhile.
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
    // What is still starting is not among the processes yet.
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
    // One after the other, in their order: an order on its way from one queue to the next is in one of them or in both.
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
      program?.process.kill('SIGKILL')
      await program?.exited
    },
    async drained({ timeoutMs = 60_000, signal } = {}) {
      const deadline = performance.now() + timeoutMs
      let seen = -1
      for (;;) {
        const happened = await store.historyLength()
        const left = await pending()
        if (left === 0 && happened === seen) return
        if (performance.now() > deadline) throw new Error(`${left} jobs are not done after ${timeoutMs / 1000} s`)
        seen = happened
        await delay(quietMs, undefined, { signal })
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** What the pipeline has written into a Redis that is not its own. */
async function removeKeys({ redis }: RedisStore, prefix: string) {
  for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: 1_000 })) {
    if ((keys as string[]).length > 0) await redis.unlink(keys as string[])
  }
}
