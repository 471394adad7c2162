// The checker says: Two groups get in the way of each other.
/** Gives the callbacks of all groups the same id. */
import type { Member, Queue, Store } from '../check.ts'

export async function memberEnded({ group, size, at, result }: Member, store: Store, queue: Queue): Promise<void> {
  await store.put(group, at, result)
  const results = await store.all(group)
  if (results.size < size) return
  await queue.send(
    [...results].sort(([a], [b]) => a - b).map(([, each]) => each),
    { id: 'callback' },
  )
}
