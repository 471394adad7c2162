/** The end of a group: its last member starts the callback. */
import type { Member, Queue, Store } from './check.ts'

/**
 * Stores the result of a member that has ended, and starts the callback once all results of the group are there: exactly
 * once, with the results in the order of the group. It may be called again for the same member, by another worker, at
 * the same time or after the first one was killed.
 */
export async function memberEnded(_member: Member, _store: Store, _queue: Queue): Promise<void> {
  // Your code: what may be done twice without harm?
}
