/** The end of a group: its last member starts the callback. */
import type { Member, Queue, Store } from './check.ts'

/**
 * Stores the result of a member that has ended, and starts the callback once all results of the group are there: exactly
 * once, with the results in the order of the group. It may be called again for the same member, by another worker, at
 * the same time or after the first one was killed.
 */
export async function memberEnded({ group, size, at, result }: Member, store: Store, queue: Queue): Promise<void> {
  // Under the member's own place: a second time it changes nothing. A counter would count it twice.
  await store.put(group, at, result)
  const results = await store.all(group)
  // Everybody who sees all results starts the callback. The worker that was last may be dead.
  if (results.size < size) return
  const inOrder = [...results].sort(([a], [b]) => a - b).map(([, each]) => each)
  await queue.send(inOrder, { id: `${group}:callback` })
}
