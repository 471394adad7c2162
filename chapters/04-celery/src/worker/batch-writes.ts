/**
 * Fewer system calls for a connection to Redis: what is sent in one turn of the event loop goes into one write.
 *
 * A worker that runs many tasks at a time gets their answers together and sends the next commands together. ioredis writes each
 * by itself; so each costs both ends a system call and a packet. Its own answer to that, enableAutoPipelining, makes
 * pipelines of them, and when the connection dies in the middle of one it rejects the commands that BullMQ counts on being sent again: a
 * task that had succeeded would fail. Held back in the socket they are the same commands as before.
 */
import type { Redis } from 'ioredis'

/** Has a connection, and every one that takes its place, hold its writes back until the end of the turn. */
export function batchWrites(redis: Redis): void {
  const attach = () => {
    const { stream } = redis
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
    let held = false
    stream.write = (...args: unknown[]) => {
      if (!held) {
        held = true
        stream.cork()
        setImmediate(() => {
          held = false
          stream.uncork()
        })
      }
      return write(...args)
    }
  }
  redis.on('connect', attach)
  if (redis.status === 'ready' || redis.status === 'connect') attach()
}
