/** Work under a lock that runs out unless it is renewed. */
import type { Lock, Options, Outcome, Work } from './check.ts'

/**
 * Runs the work while it has the lock, and keeps renewing the lease. Aborts the work's signal once a renewal is refused.
 *
 * @returns 'done' if it had the lock until the work's end, 'lost' if it did not, and 'busy', without having called
 *   `work`, if somebody else has the lock
 * @throws what the work throws, unless that is because the lock was lost
 */
export async function underLease(_lock: Lock, work: Work, _options: Options): Promise<Outcome> {
  // Your code: the work and the renewals run side by side.
  await work(new AbortController().signal)
  return 'done'
}
