/**
 * The queues, and the remote objects, that are written in TypeScript: for each one what its client does and what its
 * worker process does. Each loads its library only when it is used, because there are many worker processes.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { PostgresConnection } from '04-celery/postgres/postgres'
import { connect, type RemoteServer, serve } from '04-celery/remote/remote'
import { openQueue, work } from '04-celery/rq/rq'
import { RpcTarget } from 'capnweb'
import { z } from 'zod'
import { runTask, type TaskName, tasks } from './tasks.ts'

/** Where the servers are. */
export interface Servers {
  redisUrl: string
  /** Undefined when nobody uses PostgreSQL. */
  postgres?: PostgresConnection | undefined
  /** What the remote object asks its clients for. */
  secret: string
}

export interface EngineClient {
  /** Calls a task once with each list of arguments and returns all results in the same order. */
  call: (task: TaskName, argsLists: unknown[][]) => Promise<unknown[]>
  close: () => Promise<void>
  /** Removes what is left of the queue. */
  clear?: () => Promise<unknown>
}

export interface Engine {
  /** Opens a client. Without a worker that may never end: the signal ends it. */
  open: (servers: Servers, queue: string, address: string, signal: AbortSignal) => Promise<EngineClient>
  /** Serves in a worker process. Returns how to stop it, and its address where clients need one. */
  work: (servers: Servers, queue: string) => Promise<{ stop: () => Promise<unknown>; address?: string }>
}

/** Tasks that a worker process runs at a time, where it can run several. */
const concurrency = 50
/** After this time without a sign of life a worker loses its tasks to another one. The defaults are 5 to 60 s. */
export const leaseMs = 3_000

/** Promises of results, by the ids of their jobs. */
class Pending {
  readonly #waiting = new Map<string, PromiseWithResolvers<unknown>>()

  add(id: string): Promise<unknown> {
    const waiting = Promise.withResolvers<unknown>()
    this.#waiting.set(id, waiting)
    return waiting.promise
  }

  take(id: string) {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    return waiting
  }
}

function bullmq(options: (servers: Servers) => { connection: object }, isPostgres: boolean): Engine {
  async function load() {
    const { createPostgresBackend, ...classes } = await import('bullmq')
    const polling = isPostgres
      ? (await import('04-celery/postgres/postgres')).pglitePolling
      : { worker: {}, events: {} }
    return { ...classes, polling, factory: (isPostgres ? createPostgresBackend : undefined) as undefined }
  }
  return {
    async open(servers, name, _address, signal) {
      const { Queue, QueueEvents, polling, factory } = await load()
      const queue = new Queue(
        name,
        { ...options(servers), defaultJobOptions: { removeOnComplete: { age: 60 } } },
        factory,
      )
      const events = new QueueEvents(name, { ...options(servers), ...polling.events }, factory)
      const pending = new Pending()
      events.on('completed', ({ jobId, returnvalue }) => pending.take(jobId)?.resolve(returnvalue))
      events.on('failed', ({ jobId, failedReason }) => pending.take(jobId)?.reject(new Error(failedReason)))
      events.on('error', () => {})
      await events.waitUntilReady()
      async function call(task: TaskName, argsLists: unknown[][]) {
        const jobs = argsLists.map((data) => ({ name: task, data, opts: { jobId: randomUUID() } }))
        // Before they are added: a job may be done before `addBulk` returns.
        const results = jobs.map(({ opts }) => pending.add(opts.jobId))
        await queue.addBulk(jobs)
        return await Promise.all(results)
      }
      // Being connected is not listening yet, and an event that comes too early is missed: try until one arrives.
      while ((await Promise.race([call('add', [[0, 0]]), delay(500, 'silence')])) === 'silence' && !signal.aborted) {}
      return {
        call,
        async close() {
          await events.close()
          await queue.close()
        },
        clear: () => queue.obliterate({ force: true }),
      }
    },
    async work(servers, name) {
      const { Worker, polling, factory } = await load()
      const worker = new Worker(
        name,
        async (job) => await runTask(job.name, job.data),
        {
          ...options(servers),
          ...polling.worker,
          concurrency,
          lockDuration: leaseMs,
          stalledInterval: leaseMs,
          // As in chapter 4's layer. With the default of 1, the task would fail if another worker is held up as well.
          maxStalledCount: 5,
        },
        factory,
      )
      worker.on('error', () => {})
      await worker.waitUntilReady()
      return { stop: () => worker.close() }
    },
  }
}

const redisOf = ({ redisUrl }: Servers) => ({ connection: { url: redisUrl, maxRetriesPerRequest: null } })
function postgresOf({ postgres }: Servers) {
  if (!postgres) throw new Error('PostgreSQL was not started')
  return { connection: postgres }
}

/** Chapter 4's layer on BullMQ: it validates arguments, and so on. */
async function layerTasks() {
  const { defineTask } = await import('04-celery/queue/task')
  const args = z.object({ list: z.array(z.unknown()) })
  const names = Object.keys(tasks)
  return names.map((name) => defineTask({ name, args, run: async ({ list }) => await runTask(name, list) }))
}

const layer: Engine = {
  async open({ redisUrl }, queue) {
    const { openClient } = await import('04-celery/queue/client')
    const { removeKeys } = await import('04-celery/system')
    const definitions = await layerTasks()
    const client = await openClient({ url: redisUrl, prefix: queue })
    return {
      async call(task, argsLists) {
        const definition = definitions.find(({ name }) => name === task)
        if (!definition) throw new Error(`no task "${task}"`)
        const lists = argsLists.map((list) => ({ list }))
        const results = await client.sendMany(definition, lists)
        return await Promise.all(results.map((result) => result.get({ timeoutMs: 300_000 })))
      },
      close: async () => void (await client[Symbol.asyncDispose]()),
      clear: () => removeKeys(client),
    }
  },
  async work({ redisUrl }, queue) {
    const { startWorker } = await import('04-celery/worker/worker')
    const settings = { url: redisUrl, prefix: queue, concurrency, lockMs: leaseMs }
    const worker = await startWorker({ ...settings, tasks: await layerTasks() })
    return { stop: () => worker.close() }
  },
}

const rq: Engine = {
  async open({ redisUrl }, name) {
    const queue = await openQueue(redisUrl, name, tasks)
    return {
      async call(task, argsLists) {
        const enqueue = queue.enqueue as (name: string, ...args: unknown[]) => Promise<string>
        const ids = await Promise.all(argsLists.map((args) => enqueue(task, ...args)))
        const [only] = ids
        if (ids.length === 1 && only !== undefined) {
          // Only the latency of `add` is measured. Polling every millisecond for seconds would keep a core busy.
          return [await queue.result(only, { everyMs: task === 'add' ? 1 : 20, timeoutMs: 300_000 })]
        }
        for (let left = 1; left > 0; ) {
          await new Promise((resolve) => setTimeout(resolve, 5))
          const { waiting, active } = await queue.counts()
          left = waiting + active
        }
        return await Promise.all(ids.map(async (id) => (await queue.job(id))?.result))
      },
      close: async () => queue[Symbol.dispose](),
      clear: () => queue.clear(),
    }
  },
  async work({ redisUrl }, name) {
    const stop = new AbortController()
    const ready = Promise.withResolvers<void>()
    const options = { concurrency, leaseMs, signal: stop.signal, onReady: ready.resolve }
    const worked = work(redisUrl, name, tasks, options)
    await Promise.race([ready.promise, worked])
    return {
      async stop() {
        stop.abort()
        await worked
      },
    }
  },
}

const bee: Engine = {
  async open({ redisUrl }, name) {
    const { default: BeeQueue } = await import('bee-queue')
    const queue = new BeeQueue(name, { redis: { url: redisUrl }, isWorker: false, removeOnSuccess: true })
    const pending = new Pending()
    queue.on('job succeeded', (id, result) => pending.take(id)?.resolve(result))
    queue.on('job failed', (id, error) => pending.take(id)?.reject(error))
    queue.on('error', () => {})
    await queue.ready()
    return {
      async call(task, argsLists) {
        // With our own ids: the event of a job that is done before `saveAll` knows its id would be lost.
        const jobs = argsLists.map((args) => queue.createJob({ task, args }).setId(randomUUID()))
        const results = jobs.map(({ id }) => pending.add(id))
        // It returns errors instead of throwing them.
        for (const error of (await queue.saveAll(jobs)).values()) throw error
        return await Promise.all(results)
      },
      close: () => queue.close(),
      clear: () => queue.destroy(),
    }
  },
  async work({ redisUrl }, name) {
    const { default: BeeQueue } = await import('bee-queue')
    const queue = new BeeQueue<{ task: string; args: unknown[] }>(name, {
      redis: { url: redisUrl },
      getEvents: false,
      removeOnSuccess: true,
      stallInterval: leaseMs,
    })
    queue.on('error', () => {})
    queue.process(concurrency, async ({ data }) => await runTask(data.task, data.args))
    await queue.ready()
    // Only this makes it put back the jobs of dead workers.
    await queue.checkStalledJobs(leaseMs)
    return { stop: () => queue.close() }
  },
}

class Tasks extends RpcTarget {
  add(a: number, b: number): number {
    return runTask('add', [a, b]) as number
  }
  async nap(ms: number): Promise<number> {
    return (await runTask('nap', [ms])) as number
  }
  async slow(file: string, ms: number): Promise<number> {
    return (await runTask('slow', [file, ms])) as number
  }
}

const remoteObject: Engine = {
  async open({ secret }, _queue, address) {
    const { remote, [Symbol.dispose]: close } = await connect<Tasks>(address, { secret })
    return {
      async call(task, argsLists) {
        const method = remote[task] as (...args: unknown[]) => Promise<unknown>
        const [only = [], ...more] = argsLists
        if (more.length === 0) return [await method(...only)]
        const results: unknown[] = []
        // At most a thousand calls are in flight.
        for (let at = 0; at < argsLists.length; at += 1_000) {
          const calls = argsLists.slice(at, at + 1_000).map((args) => method(...args))
          results.push(...(await Promise.all(calls)))
        }
        return results
      },
      close: async () => close(),
    }
  },
  async work({ secret }) {
    const server: RemoteServer = await serve(() => new Tasks(), { secret })
    return { stop: () => Promise.resolve(server[Symbol.asyncDispose]()), address: server.address }
  },
}

/** Makes five additions, each with the result of the one before, in one round trip. */
export async function chainOfFive(address: string, secret: string) {
  using connection = await connect<Tasks>(address, { secret })
  const { remote, traffic } = connection
  await remote.add(0, 0)
  const before = { ...traffic }
  let sum: Parameters<typeof remote.add>[0] = 0
  const calls = []
  for (let step = 0; step < 5; step++) {
    const call = remote.add(sum, 1)
    calls.push(call)
    sum = call
  }
  const result = await sum
  const answers = traffic.received - before.received
  for (const call of calls) call[Symbol.dispose]()
  return { result, answers }
}

export const engines = {
  bullmq: bullmq(redisOf, false),
  layer,
  pglite: bullmq(postgresOf, true),
  rq,
  bee,
  remote: remoteObject,
} satisfies Record<string, Engine>
export type EngineName = keyof typeof engines
