/**
 * Fewer system calls for a connection to Redis: all commands of one turn of the event loop go into one write.
 *
 * A worker that runs many tasks gets their answers together and sends the next commands together. ioredis writes each
 * command separately, which costs both ends a system call and a packet. Its own remedy, enableAutoPipelining, makes
 * pipelines of them. But when the connection dies within a pipeline, it rejects commands that BullMQ expects to be sent
 * again, and a task that had succeeded would fail. Held back in the socket, the commands are the same as before.
 */
import type { Redis } from 'ioredis'

// #region hold-back
/** Makes a connection hold back its writes until the end of the turn, also after each reconnect. */
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
// #endregion hold-back
