/** Connections to Redis that say clearly why there is none, and come back when the server does. */
import { setTimeout as delay } from 'node:timers/promises'
import { maskPasswords } from '@repo/common/output/secrets'
import { Redis, type RedisOptions } from 'ioredis'

export type { Redis }

/**
 * Connects. Later a lost connection is made again, and commands wait for it unless `options` says otherwise.
 *
 * @throws an Error of one line when Redis cannot be reached now or refuses the password
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

/** A server that does not answer does not keep a connection that is to end for longer. */
const answerMs = 200

/**
 * Ends a connection that has subscribed to something. When it has just come back, ioredis is about to subscribe again, and
 * looks not at what becomes of that: ended at this moment, the process would end with an unhandled rejection.
 */
export async function endSubscriber(redis: Redis): Promise<void> {
  if (redis.status === 'ready') {
    await Promise.race([redis.ping().catch(() => {}), delay(answerMs, undefined, { ref: false })])
  }
  if (redis.status !== 'end') redis.disconnect()
}
