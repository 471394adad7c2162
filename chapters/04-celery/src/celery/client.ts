/** A client of Celery: it sends tasks to workers in Python or TypeScript, and waits for their results. */
import { setInterval } from 'node:timers/promises'
import { after } from '@repo/common/async/timer'
import { messageOf } from '@repo/common/output/errors'
import { asSubscriber, connect, explainRedisError } from '../queue/connect.ts'
import {
  type Call,
  encodeMessage,
  failure,
  hasEnded,
  readResult,
  resultKey,
  type TaskMeta,
  taskMeta,
} from './protocol.ts'

/** The exception that a task raised in its worker. */
export class CeleryError extends Error {
  override name = 'CeleryError'
  /** The exception's class and module, such as `ZeroDivisionError` of `builtins`. */
  readonly type: string
  readonly module?: string | undefined
  /** The worker's traceback. */
  readonly traceback: string | undefined
  constructor(task: string, { status, result, traceback }: TaskMeta) {
    // A task may set the state itself, and then the result is whatever it has put there.
    const { exc_type, exc_message, exc_module } = failure.safeParse(result).data ?? {
      exc_type: status,
      exc_message: result,
    }
    const said = [exc_message].flat().map((part) => (typeof part === 'string' ? part : messageOf(part)))
    super(`${task} failed: ${exc_type}: ${said.join(', ')}`)
    this.type = exc_type
    this.module = exc_module
    this.traceback = traceback
  }
}

export interface GetOptions {
  /** 30 s by default; Infinity waits for ever. */
  timeoutMs?: number
  signal?: AbortSignal | undefined
}

export interface AsyncResult {
  id: string
  /** Every state that the store has reported, in order, such as RETRY, RETRY, SUCCESS, or a task's own PROGRESS. */
  states: TaskMeta[]
  /**
   * Waits for the result. Integers that a number cannot hold exactly are bigints. Throws a CeleryError if the task
   * failed, another Error when time is up.
   */
  get: (options?: GetOptions) => Promise<unknown>
  /** Removes the result from the store. */
  forget: () => Promise<void>
}

export interface CeleryClient extends AsyncDisposable {
  send: (call: Call) => Promise<AsyncResult>
}

/** A published result may be lost with the connection, so the client also polls the store, this often. */
const askEveryMs = 1_000

/** @throws an Error of one line if Redis cannot be reached or refuses the password */
export async function connectCelery(url: string): Promise<CeleryClient> {
  const redis = await connect(url, { enableAutoPipelining: true })
  const subscriber = await connect(url)
    .then(asSubscriber)
    .catch((error) => {
      redis.disconnect()
      throw error
    })
  const listeners = new Map<string, (text: string) => void>()
  subscriber.on('message', (channel: string, text: string) => listeners.get(channel)?.(text))

  return {
    async send(call) {
      const { id, list, text } = encodeMessage(call)
      const key = resultKey(id)
      const states: TaskMeta[] = []
      const ended = Promise.withResolvers<TaskMeta>()
      const settle = (text: string, isPolled = false) => {
        let meta: TaskMeta
        try {
          meta = taskMeta.parse(readResult(text))
        } catch {
          return ended.reject(new Error(`${call.task}: the result store has ${text.slice(0, 200)}`))
        }
        // A poll would see the same state again and again.
        if (isPolled && !hasEnded(meta)) return
        states.push(meta)
        if (!hasEnded(meta)) return
        ended.resolve(meta)
        stopListening()
      }
      const stopListening = () => {
        if (listeners.delete(key)) subscriber.unsubscribe(key).catch(() => {})
      }
      // Perhaps nobody waits yet.
      ended.promise.catch(() => {})
      listeners.set(key, settle)
      // Before the task is sent, because its result could come sooner than the subscription.
      await subscriber.subscribe(key)
      await redis.lpush(list, text).catch((error) => {
        stopListening()
        throw explainRedisError(error, url)
      })

      const askNowAndThen = async (signal: AbortSignal) => {
        for await (const _ of setInterval(askEveryMs, undefined, { signal, ref: false })) {
          const text = await redis.get(key)
          if (text === null) continue
          // The states that were published before this one may still be on their way, on the other connection.
          await subscriber.ping().catch(() => {})
          if (listeners.has(key)) settle(text, true)
        }
      }
      return {
        id,
        states,
        async get({ timeoutMs = 30_000, signal } = {}) {
          signal?.throwIfAborted()
          const over = new AbortController()
          const late = Promise.withResolvers<never>()
          const onTimeout = () => {
            const last = states.at(-1)?.status ?? 'PENDING'
            const seconds = timeoutMs / 1000
            late.reject(
              new Error(
                `${call.task}: no result after ${seconds} s, it is ${last}; does a worker serve "${call.queue}"?`,
              ),
            )
          }
          using _timer = after(timeoutMs, onTimeout, 'timeoutMs')
          const onAbort = () => late.reject(signal?.reason)
          signal?.addEventListener('abort', onAbort)
          // Not awaited: while Redis is away a poll never ends.
          void askNowAndThen(over.signal).catch(() => {})
          try {
            const meta = await Promise.race([ended.promise, late.promise])
            if (meta.status === 'SUCCESS') return meta.result
            throw new CeleryError(call.task, meta)
          } finally {
            signal?.removeEventListener('abort', onAbort)
            over.abort()
          }
        },
        async forget() {
          stopListening()
          await redis.del(key).catch((error) => {
            throw explainRedisError(error, url)
          })
        },
      }
    },
    async [Symbol.asyncDispose]() {
      for (const connection of [redis, subscriber]) if (connection.status !== 'end') connection.disconnect()
    },
  }
}
