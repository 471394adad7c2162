/** Connections to Redis: they reconnect when the server is back, and their errors say in one line what is wrong. */
import { shownUrl } from '@repo/common/output/secrets'
import type { Redis, RedisOptions } from 'ioredis'

export { connectRedis as connect } from '@repo/common/servers/connect'
export type { Redis }

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

/** Why Redis refuses commands that are in order, by the first word of its error: what is wrong, and what helps. */
const refusals: Record<string, string> = {
  OOM: 'is full: make room or raise its maxmemory; what it holds is not lost',
  READONLY: 'is a read-only replica: use its primary, or wait until this one has become it',
  MISCONF: 'cannot save to its disk, so it accepts no writes: see its log',
  LOADING: 'still reads its data from disk: try again in a moment',
  MASTERDOWN: 'is a replica that has lost its primary: use the primary',
  NOREPLICAS: 'has too few replicas to accept writes: see its min-replicas-to-write',
  NOAUTH: 'wants a password: write it into the URL',
  NOPERM: 'does not allow this user the command: see its ACL',
}

/** What a refusal of Redis means; undefined for any other error. Older versions put it inside the error of a script. */
export function refusalOf(error: Error): string | undefined {
  const [, word = ''] = /^(?:ERR Error running script .*: -)?([A-Z]+) /.exec(error.message) ?? []
  return Object.hasOwn(refusals, word) ? refusals[word] : undefined
}

/** A transaction says only that it was discarded. Its commands, which ioredis keeps, have been told why. */
function refusedInTransaction(error: unknown): unknown {
  if (!(error instanceof Error && 'previousErrors' in error && Array.isArray(error.previousErrors))) return error
  return error.previousErrors[0] ?? error
}

/** The connection was lost after Redis had answered part of a pipeline. */
export const isAborted = (error: Error) => error.message.startsWith('Command aborted due to connection close')

/**
 * Turns the error of a Redis command into a readable one: which server, what is wrong, and what helps. Errors that
 * have nothing to do with the connection or the state of the server are returned unchanged.
 *
 * @param reason why the connection was lost, if it was
 */
export function explainRedisError(thrown: unknown, url: string, reason?: Error): unknown {
  const error = refusedInTransaction(thrown)
  if (!(error instanceof Error)) return error
  const server = `Redis at ${shownUrl(url)}`
  const refusal = refusalOf(error)
  if (refusal !== undefined) return new Error(`${server} ${refusal}`)
  const lost = error.name === 'MaxRetriesPerRequestError' || error.message.startsWith('Connection is closed')
  if (lost || isAborted(error)) {
    return new Error(`${server} does not answer: ${reason?.message || 'the connection was closed'}`)
  }
  return error
}
