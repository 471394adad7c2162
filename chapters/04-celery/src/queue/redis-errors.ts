/** What goes wrong between a program and Redis, said in one line. */
import { maskPasswords } from '@repo/common/output/secrets'

/** Redis refused a command because its memory is full. */
export const isFull = (error: Error) => error.message.startsWith('OOM ')

/** The connection was lost after part of a pipeline had been answered. */
export const isAborted = (error: Error) => error.message.startsWith('Command aborted due to connection close')

/**
 * An error of a Redis command as a reader needs it: which server, what is the matter, and what helps. Errors that have
 * nothing to do with the connection or the memory come back as they are.
 *
 * @param reason why the connection is away, if it is
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
