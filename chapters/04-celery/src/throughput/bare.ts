/**
 * Empty jobs through bare BullMQ, from end to end: added, run by worker processes, and each end known to the sender.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { startProgram } from '@repo/common/process/child'
import { startAll } from '@repo/common/process/start-all'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { Queue, QueueEvents } from 'bullmq'
import { Redis } from 'ioredis'

export interface BareOptions {
  url: string
  /** Every key begins with it. */
  prefix: string
  workers: number
  concurrency: number
  signal: AbortSignal
}

/** The most jobs at a time. */
export const mostTasks = 200_000

const queueName = 'bare'
const jobsAtATime = 250
const lookEveryMs = 2
/** Four for each job. BullMQ keeps 10,000 by default, and a reader that falls behind would miss some. */
const mostEvents = 4 * mostTasks

/**
 * Starts the workers. Each way takes a number of jobs and returns the milliseconds until all have ended: `told` learns
 * of each end from QueueEvents, as BullMQ intends it; `counted` only asks how many have ended.
 */
export async function startBare({ url, prefix, workers, concurrency, signal }: BareOptions) {
  await using stack = new AsyncDisposableStack()
  const connect = () => new Redis(url, { maxRetriesPerRequest: null })
  const connection = stack.adopt(connect(), (redis) => redis.disconnect())
  const queue = new Queue(queueName, { connection, prefix, streams: { events: { maxLen: mostEvents } } })
  stack.defer(async () => await queue.close())
  const starting = Array.from({ length: workers }, () =>
    startProgram(new URL('./bare.program.ts', import.meta.url), {
      args: [queueName, prefix, String(concurrency)],
      env: { REDIS_URL: url },
      signal,
    }),
  )
  await startAll(stack, starting)

  async function add(n: number) {
    const job = { name: 'empty', data: {} }
    for (let at = 0; at < n; at += jobsAtATime) {
      await queue.addBulk(Array.from({ length: Math.min(jobsAtATime, n - at) }, () => job))
    }
  }
  async function told(n: number) {
    // Opened only here, because reading the events would take time from the other way.
    const connection = connect()
    // The id of the last event: with "from now on" it would read only from the moment it is connected.
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
