// The checker says: The callback gets the results in another order than that of the group.
/** Sorts the results themselves, and not by their places. */
import type { Member, Queue, Store } from '../check.ts'

export async function memberEnded({ group, size, at, result }: Member, store: Store, queue: Queue): Promise<void> {
  await store.put(group, at, result)
  const results = await store.all(group)
  if (results.size < size) return
  await queue.send(
    [...results.values()].sort((a, b) => a - b),
    { id: group },
  )
}
