/** How a worker treats its connections to Redis: logs when they are lost, rests after errors, and closes cleanly. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { isFull, refusalOf } from '../queue/connect.ts'
import type { Log } from './call.ts'

/** How long a worker asks for no tasks after Redis has answered with an error. */
export const restMs = 1_000

interface Owner {
  log: Log | undefined
  /** Whether the worker has been told to end. */
  readonly closing: boolean
}

/** Logs once when a connection is lost, and once when it is back. */
export function watchConnection(redis: Redis, owner: Owner): void {
  let away = false
  let reason: Error | undefined
  redis.on('error', (error: Error) => {
    reason = error
  })
  redis.on('close', () => {
    if (away || owner.closing) return
    away = true
    owner.log?.error({ error: reason?.message }, 'Redis is unreachable; trying to reconnect')
  })
  redis.on('ready', () => {
    if (away) owner.log?.info({}, 'Redis is back')
    away = false
  })
}

/**
 * After an error of Redis itself, for example when its memory is full, BullMQ would ask for the next task at once,
 * thousands of times a second until it works again. So the worker rests for a moment.
 */
export function restAfter(error: Error, worker: Worker, owner: Owner): void {
  // watchConnection logs those.
  if (isConnectionError(error)) return
  const refusal = refusalOf(error)
  const refused = refusal === undefined ? error.message : `Redis ${refusal}`
  const message = isFull(error) ? 'Redis is full (maxmemory)' : refused
  if (error.name !== 'ReplyError') return void owner.log?.error({ queue: worker.name }, message)
  if (worker.isPaused()) return
  owner.log?.error({ queue: worker.name, restMs }, message)
  worker.pause(true).catch(() => {})
  setTimeout(() => {
    if (!owner.closing) worker.resume().catch(() => {})
  }, restMs).unref()
}

const isConnectionError = (error: Error & { code?: unknown }) =>
  typeof error.code === 'string' || /Connection is closed|ECONN|EPIPE/.test(error.message)

/**
 * Closes a BullMQ worker, but not while its blocking connection waits for its next attempt to connect: closed at that
 * moment, ioredis 6.0 never emits `end`, and BullMQ 6.7 would wait for it for ever.
 */
export async function closeConnected(worker: Worker): Promise<void> {
  await worker.pause(true)
  const blocking = await worker.getBackend().blockingClient
  while (blocking?.status === 'reconnecting') await delay(20)
  await worker.close()
}
