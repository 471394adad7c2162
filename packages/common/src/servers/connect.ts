/** Connections to Redis, whose errors say in one line what is wrong and hold no secrets. */
import { Redis, type RedisOptions } from 'ioredis'
import { shownUrl } from '../output/secrets.ts'

/** For clients that send nothing twice: what may have been carried out must not become two. */
export const once: RedisOptions = {
  retryStrategy: () => null,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
}

/**
 * Connects. A connection that is lost later is restored, and commands wait for it unless `options` says otherwise.
 *
 * @throws an Error of one line, whose cause says why, when Redis cannot be reached now or refuses the password
 */
export async function connectRedis(url: string, options: RedisOptions = {}): Promise<Redis> {
  const redis = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: null,
    retryStrategy: (attempt) => Math.min(50 * attempt, 1_000),
    ...options,
  })
  // The cause. The rejected promise only says that the connection is closed. Later listeners, too, get the error without
  // its command.
  let reason: unknown
  redis.on('error', (error: unknown) => {
    withoutCommand(error)
    reason ??= error
  })
  try {
    await redis.connect()
    await redis.ping()
    return redis
  } catch (error) {
    // If the connection has already ended, ioredis would wait two seconds for its end.
    if (redis.status !== 'end') redis.disconnect()
    throw new Error(`Redis at ${shownUrl(url)} cannot be used`, { cause: reason ?? withoutCommand(error) })
  }
}

/**
 * Removes the command from an error of ioredis, which keeps its arguments: those of a refused AUTH are the password.
 * Returns the same error.
 */
export function withoutCommand(error: unknown): unknown {
  if (error instanceof Error && 'command' in error) delete error.command
  return error
}
