/** Empty tasks from end to end, three ways, on one Redis: sent, done by worker processes, every end heard of. */
import { setTimeout as delay } from 'node:timers/promises'
import { startProgram } from '@repo/common/process/child'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { Queue, QueueEvents } from 'bullmq'
import { Redis } from 'ioredis'
import type { Python } from '../celery/python.ts'
import type { Client } from '../queue/client.ts'
import { gather } from '../queue/results.ts'
import { empty } from '../tasks/index.ts'
import { startCeleryPeer } from './celery-peer.ts'

/** One way: does so many empty tasks and returns how many milliseconds that took. */
export type Emptying = (n: number) => Promise<number>

export interface Place {
  url: string
  /** Begins all keys. */
  prefix: string
  workers: number
  concurrency: number
  signal: AbortSignal
}

/** Through the typed layer; its workers run already. */
export const throughLayer =
  (client: Client, signal: AbortSignal): Emptying =>
  async (n) => {
    const begin = performance.now()
    const results = await client.sendMany(
      empty,
      Array.from({ length: n }, () => ({})),
    )
    await gather(results, { signal })
    return performance.now() - begin
  }

/** In one round. */
export const mostTasks = 200_000

const queueName = 'bare'
const jobsAtATime = 250

const lookEveryMs = 2
/** Four for each job; with the 10,000 that are kept by default a reader that falls behind would miss some. */
const mostEvents = 4 * mostTasks

/**
 * Bare BullMQ, in two ways: `told` hears of each end by QueueEvents, BullMQ's own means for that; `counted` only asks how
 * many jobs have ended, and knows nothing of any of them.
 */
export async function startBare({ url, prefix, workers, concurrency, signal }: Place) {
  await using stack = new AsyncDisposableStack()
  const open = () => {
    const connection = new Redis(url, { maxRetriesPerRequest: null })
    stack.defer(() => connection.disconnect())
    return connection
  }
  const queue = new Queue(queueName, { connection: open(), prefix, streams: { events: { maxLen: mostEvents } } })
  stack.defer(async () => await queue.close())
  const programs = Array.from({ length: workers }, () =>
    startProgram(new URL('./bare.program.ts', import.meta.url), {
      args: [queueName, prefix, String(concurrency)],
      env: { REDIS_URL: url },
      signal,
      readyTimeoutMs: 30_000,
    }),
  )
  for (const program of await Promise.all(programs)) stack.use(program)

  async function add(n: number) {
    const job = { name: empty.name, data: {} }
    for (let at = 0; at < n; at += jobsAtATime) {
      await queue.addBulk(Array.from({ length: Math.min(jobsAtATime, n - at) }, () => job))
    }
  }
  async function told(n: number) {
    // Only here: reading the events would take time from the other way.
    const connection = new Redis(url, { maxRetriesPerRequest: null })
    // By its id: "from now on" would begin only when the connection is made.
    const [last] = await connection.xrevrange(`${prefix}:${queueName}:events`, '+', '-', 'COUNT', 1)
    const events = new QueueEvents(queueName, { connection, prefix, lastEventId: last?.[0] ?? '0-0' })
    const ended = Promise.withResolvers<void>()
    const stop = () => ended.reject(signal.reason)
    let left = n
    events.on('completed', () => {
      if (--left === 0) ended.resolve()
    })
    events.on('failed', ({ failedReason }) => ended.reject(new Error(failedReason)))
    signal.addEventListener('abort', stop)
    try {
      await events.waitUntilReady()
      const begin = performance.now()
      await add(n)
      await ended.promise
      return performance.now() - begin
    } finally {
      signal.removeEventListener('abort', stop)
      await events.close()
      connection.disconnect()
    }
  }
  async function counted(n: number) {
    const before = await queue.getCompletedCount()
    const begin = performance.now()
    await add(n)
    while ((await queue.getCompletedCount()) < before + n) await delay(lookEveryMs, undefined, { signal })
    return performance.now() - begin
  }
  const owned = stack.move()
  return { told, counted, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** Celery, with as many processes. */
export async function startCelery(python: Python, { url, workers, signal }: Place) {
  const peer = await startCeleryPeer(python, { url, workers, signal })
  return {
    run: async (n: number) => (await peer.empties(n)).ms,
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  }
}
