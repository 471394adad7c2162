/** Work under a lock that runs out unless it is renewed. */
import type { Lock, Options, Outcome, Work } from './check.ts'

/**
 * Runs the work while it has the lock, and keeps renewing the lease. Aborts the work's signal once a renewal is refused.
 *
 * @returns 'done' if it had the lock until the work's end, 'lost' if it did not, and 'busy', without having called
 *   `work`, if somebody else has the lock
 * @throws what the work throws, unless that is because the lock was lost
 */
export async function underLease(lock: Lock, work: Work, { owner, leaseMs, sleep }: Options): Promise<Outcome> {
  // Taken together with its lease: a program that dies between two steps would leave a lock for ever.
  if (!(await lock.takeIfFree(owner, leaseMs))) return 'busy'
  const lost = new AbortController()
  const ended = new AbortController()
  async function renew() {
    // Twice before it runs out: one renewal may be late.
    for (;;) {
      await sleep(leaseMs / 3, { signal: ended.signal })
      if (!(await lock.extendIfMine(owner, leaseMs))) return lost.abort(new Error('the lock is lost'))
    }
  }
  // It ends by being aborted.
  const renewing = renew().catch(() => {})
  let isMine = false
  try {
    await work(lost.signal)
  } catch (error) {
    if (!lost.signal.aborted) throw error
  } finally {
    ended.abort()
    // A renewal under way must not come after the lock was given back.
    await renewing
    isMine = await lock.deleteIfMine(owner)
  }
  return isMine ? 'done' : 'lost'
}
