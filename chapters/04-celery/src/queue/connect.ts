/** Connections to Redis: they reconnect when the server is back, and their errors say in one line what is wrong. */
import { maskPasswords } from '@repo/common/output/secrets'
import { Redis, type RedisOptions } from 'ioredis'

export type { Redis }

/**
 * Connects. A connection that is lost later is restored, and commands wait for it unless `options` says otherwise.
 *
 * @throws a one-line Error when Redis cannot be reached now or refuses the password
 */
export async function connect(url: string, options: RedisOptions = {}): Promise<Redis> {
  const redis = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: null,
    retryStrategy: (attempt) => Math.min(50 * attempt, 1_000),
    ...options,
  })
  let reason: Error | undefined
  redis.on('error', (error: Error) => {
    reason ??= error
  })
  try {
    await redis.connect()
    await redis.ping()
    return redis
  } catch (error) {
    if (redis.status !== 'end') redis.disconnect()
    throw new Error(`Redis at ${maskPasswords(url)} cannot be used`, { cause: reason ?? error })
  }
}

/** What a `rediss://` URL cannot say: whose signature to trust. */
export const tlsOf = ({ ca }: { ca?: string }): RedisOptions => (ca === undefined ? {} : { tls: { ca } })

/**
 * Prepares a connection for subscriptions. When a lost one is back, ioredis 6.0 subscribes again and leaves the promise
 * to nobody: closed before Redis has answered, the connection would crash the process with an unhandled rejection.
 */
export function asSubscriber(redis: Redis): Redis {
  const subscribe = redis.subscribe.bind(redis) as (...args: unknown[]) => Promise<unknown>
  redis.subscribe = ((...args: unknown[]) => {
    const subscribed = subscribe(...args)
    // Who waits for it gets the error all the same.
    subscribed.catch(() => {})
    return subscribed
  }) as Redis['subscribe']
  return redis
}

/** Redis refused a command because its memory is full. */
export const isFull = (error: Error) => error.message.startsWith('OOM ')

/** The connection was lost after Redis had answered part of a pipeline. */
export const isAborted = (error: Error) => error.message.startsWith('Command aborted due to connection close')

/**
 * Turns the error of a Redis command into a readable one: which server, what is wrong, and what helps. Errors that
 * have nothing to do with the connection or the memory are returned unchanged.
 *
 * @param reason why the connection was lost, if it was
 */
export function explainRedisError(error: unknown, url: string, reason?: Error): unknown {
  if (!(error instanceof Error)) return error
  const server = `Redis at ${maskPasswords(url)}`
  if (isFull(error)) return new Error(`${server} is full: make room or raise its maxmemory; what it holds is not lost`)
  const lost = error.name === 'MaxRetriesPerRequestError' || error.message.startsWith('Connection is closed')
  if (lost || isAborted(error)) {
    return new Error(`${server} does not answer: ${reason?.message || 'the connection was closed'}`)
  }
  return error
}
