// The checker says: A worker is killed, and the callback never starts.
/** Takes a result that is there for a member that has been dealt with. */
import type { Member, Queue, Store } from '../check.ts'

export async function memberEnded({ group, size, at, result }: Member, store: Store, queue: Queue): Promise<void> {
  if (!(await store.put(group, at, result))) return
  const results = await store.all(group)
  if (results.size < size) return
  const inOrder = [...results].sort(([a], [b]) => a - b).map(([, each]) => each)
  await queue.send(inOrder, { id: `${group}:callback` })
}
