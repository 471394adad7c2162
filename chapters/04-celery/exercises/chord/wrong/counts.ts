// The checker says: The callback starts before all members have ended.
/** Counts calls instead of members. */
import type { Member, Queue, Store } from '../check.ts'

export async function memberEnded({ group, size, at, result }: Member, store: Store, queue: Queue): Promise<void> {
  await store.put(group, at, result)
  if ((await store.increment(`${group}:ended`)) !== size) return
  const results = await store.all(group)
  const inOrder = [...results].sort(([a], [b]) => a - b).map(([, each]) => each)
  await queue.send(inOrder, { id: `${group}:callback` })
}
