/** Sorters behind Redis: the typed layer's queue, and Redis itself as the store beside it. */
import { apply, group } from '../canvas/canvas.ts'
import type { Client } from '../queue/client.ts'
import { signature } from '../queue/task.ts'
import { sortByReference, sortInMessage } from './tasks.ts'
import type { Sorters } from './ways.ts'

/** What is fetched by nobody, because the client was killed, is gone after an hour. */
const keepSeconds = 3_600

export function redisSorters(client: Client, signal: AbortSignal): Sorters & Disposable {
  // Not the queue's connection, on which everything else would wait; and one only, so that the first worker can begin early.
  const store = client.redis.duplicate({ enableAutoPipelining: false })
  // Said by the commands that fail.
  store.on('error', () => {})
  return {
    prefix: client.prefix,
    async sortInMessages(runs) {
      const { roots } = await apply(client, group(runs.map((numbers) => signature(sortInMessage, { numbers }))))
      return roots.map((root) => root.get({ signal }))
    },
    async sortBehind(key, bytes) {
      const task = await client.send(sortByReference, { key, bytes })
      return await task.get({ signal })
    },
    put: (key, value) => store.set(key, value, 'EX', keepSeconds),
    fetch: (key) => store.getBuffer(key),
    remove: (keys) => store.unlink(keys),
    [Symbol.dispose]: () => {
      if (store.status !== 'end') store.disconnect()
    },
  }
}
