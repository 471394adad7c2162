/** What each setting is for, tried on servers of our own with it and without it; and how a worker ends. */
import { until } from '@repo/common/async/until'
import { startProgram } from '@repo/common/process/child'
import { startRedis } from '@repo/common/servers/redis'
import { type Client, openClient } from '../queue/client.ts'
import { connect } from '../queue/connect.ts'
import { defaultQueue } from '../queue/settings.ts'
import { add, echo } from '../tasks/index.ts'
import { nap } from '../tasks/tour.ts'
import { startWorker } from '../worker/worker.ts'
import { startSecureRedis, workerUser } from './secure-redis.ts'

interface TrialOptions {
  signal: AbortSignal
}

/** Fills the memory, and counts how many of the accepted tasks are left. */
export async function whenFull(policy: 'noeviction' | 'allkeys-lru', { signal }: TrialOptions) {
  await using server = await startRedis({ own: true, signal })
  await using client = await openClient({ url: server.url })
  // Before the server is changed: BullMQ prints a warning about servers that evict.
  await client.queue(defaultQueue).waitUntilReady()
  await client.redis.config('SET', 'maxmemory', String((await usedMemory(client)) + 4_000_000))
  await client.redis.config('SET', 'maxmemory-policy', policy)
  const ids: string[] = []
  let refusal: string | undefined
  while (refusal === undefined && ids.length < 500) {
    signal.throwIfAborted()
    try {
      ids.push((await client.send(echo, { text: 'x'.repeat(20_000) })).id)
    } catch (error) {
      refusal = (error as Error).message
    }
  }
  const kept =
    ids.length === 0 ? 0 : await client.redis.exists(...ids.map((id) => `${client.prefix}:${defaultQueue}:${id}`))
  return { accepted: ids.length, lost: ids.length - kept, refusal }
}

/** Kills the server and starts it again, and counts how many of the accepted tasks are left. */
export async function whenKilled(appendOnly: boolean, { signal }: TrialOptions) {
  await using server = await startRedis({ own: true, appendOnly, signal })
  await using client = await openClient({ url: server.url })
  const accepted = (await client.sendMany(add, Array(100).fill({ a: 1, b: 2 }))).length
  await server.server?.kill()
  await server.restart()
  await using after = await openClient({ url: server.url })
  const kept = await after.queue(defaultQueue).getJobCountByTypes('waiting')
  return { accepted, lost: accepted - kept }
}

/** Runs a task over TLS as a user who may do no more than that, and tries what must be refused. */
export async function whenSecured({ signal }: TrialOptions) {
  const prefix = 'celery'
  await using server = await startSecureRedis(prefix, { signal })
  const { url, ca } = server
  await using client = await openClient({ url, ca, prefix })
  await using _worker = await startWorker({ url, ca, prefix, tasks: [add] })
  const sum = await (await client.send(add, { a: 1, b: 2 })).get({ timeoutMs: 60_000, signal })

  const refused = async (attempt: Promise<unknown>) => {
    try {
      await attempt
      return 'allowed'
    } catch (error) {
      const { message, cause } = error as Error
      return (cause as Error | undefined)?.message ?? message
    }
  }
  const once = { retryStrategy: () => null, connectTimeout: 5_000 }
  const open = async (url: string, options: object) => {
    const redis = await connect(url, { ...once, ...options })
    redis.disconnect()
  }
  const { host } = new URL(url)
  const attempts = {
    'connect without TLS': refused(open(url.replace('rediss:', 'redis:'), {})),
    'trust a certificate that nobody has signed': refused(open(url, {})),
    'connect without a name': refused(open(`rediss://${host}`, { tls: { ca } })),
    'connect with a wrong password': refused(open(`rediss://${workerUser}:wrong@${host}`, { tls: { ca } })),
    'FLUSHALL as the worker': refused(client.redis.flushall()),
    'CONFIG as the worker': refused(client.redis.config('GET', 'maxmemory')),
    "read another program's key": refused(client.redis.get('billing:customers')),
  }
  const refusals: Record<string, string> = {}
  for (const [what, outcome] of Object.entries(attempts)) refusals[what] = await outcome
  return { sum, refusals }
}

/** Returns the bytes of Redis's memory that a task takes while it waits, and afterwards with its result. */
export async function memoryPerTask(tasks: number, { signal }: TrialOptions) {
  await using server = await startRedis({ own: true, signal })
  await using client = await openClient({ url: server.url })
  const settings = { url: server.url, tasks: [add], concurrency: 50 }
  // After one task is done, so that the queue's own memory is not counted.
  {
    await using _worker = await startWorker(settings)
    await (await client.send(add, { a: 0, b: 0 })).get({ timeoutMs: 60_000, signal })
  }
  const before = await usedMemory(client)
  const results = await client.sendMany(add, Array(tasks).fill({ a: 1, b: 2 }))
  const waiting = await usedMemory(client)
  {
    await using _worker = await startWorker(settings)
    await Promise.all(results.map((result) => result.get({ timeoutMs: 120_000, signal })))
  }
  const kept = await usedMemory(client)
  return { waiting: (waiting - before) / tasks, kept: (kept - before) / tasks }
}

async function usedMemory({ redis }: Client): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
}

export interface ShutdownReport {
  tasks: number
  /** How many ran when SIGTERM came. */
  running: number
  /** What `/ready` answered before and after it. */
  readyBefore: number
  readyAfter: number
  /** The exit code, how long it took, and how many tasks were done by then. */
  code: number | null
  ms: number
  doneThen: number
  /** How many were done in the end, with another worker's help, and how many were begun more than once. */
  done: number
  begunTwice: number
}

/**
 * Sends SIGTERM to a worker for production while it works. Looks at what becomes of the tasks that run and that wait.
 *
 * @param napMs how long the running tasks take; long enough for the signal to arrive and `/ready` to be asked
 */
export async function shutDown(
  { tasks, concurrency, napMs }: { tasks: number; concurrency: number; napMs: number },
  { signal }: { signal: AbortSignal },
): Promise<ShutdownReport> {
  await using server = await startRedis({ own: true, appendOnly: true, signal })
  await using client = await openClient({ url: server.url })
  const start = () =>
    startProgram<{ name: string; healthPort: number }>(new URL('./worker.program.ts', import.meta.url), {
      env: { REDIS_URL: server.url, WORKER_CONCURRENCY: String(concurrency), LOG_LEVEL: 'error' },
      signal,
      stopTimeoutMs: 60_000,
    })
  await using first = await start()
  const results = await client.sendMany(
    nap,
    Array.from({ length: tasks }, (_, at) => ({ ms: at < concurrency ? napMs : 1 })),
  )
  const queue = client.queue(defaultQueue)
  await until(async () => (await queue.getActiveCount()) === concurrency, { timeoutMs: 60_000, signal })

  const ready = async () => (await fetch(`http://127.0.0.1:${first.info.healthPort}/ready`)).status
  const readyBefore = await ready()
  const begin = performance.now()
  first.process.kill('SIGTERM')
  // It still answers while it ends.
  const readyAfter = await until(
    async () => {
      const status = await ready()
      return status === 200 ? undefined : status
    },
    { timeoutMs: 60_000, signal },
  )
  const { code } = await first.exited
  const ms = performance.now() - begin
  const doneThen = await queue.getCompletedCount()
  await using _second = await start()
  const outcomes = await Promise.all(results.map((result) => result.get({ timeoutMs: 120_000, signal })))
  const jobs = await Promise.all(results.map(({ id }) => queue.getJob(id)))
  return {
    tasks,
    running: concurrency,
    readyBefore,
    readyAfter,
    code,
    ms,
    doneThen,
    done: outcomes.length,
    begunTwice: jobs.filter((job) => (job?.attemptsStarted ?? 0) > 1).length,
  }
}
