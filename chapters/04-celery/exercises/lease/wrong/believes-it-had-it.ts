// The checker says: a says done, although b had the lock before a had ended.
/** Is sure that it had the lock until the end because no renewal was refused. */
import type { Lock, Options, Outcome, Work } from '../check.ts'

export async function underLease(lock: Lock, work: Work, { owner, leaseMs, sleep }: Options): Promise<Outcome> {
  if (!(await lock.takeIfFree(owner, leaseMs))) return 'busy'
  const lost = new AbortController()
  const ended = new AbortController()
  async function renew() {
    for (;;) {
      await sleep(leaseMs / 3, { signal: ended.signal })
      if (!(await lock.extendIfMine(owner, leaseMs))) return lost.abort(new Error('the lock is lost'))
    }
  }
  const renewing = renew().catch(() => {})
  try {
    await work(lost.signal)
  } catch (error) {
    if (!lost.signal.aborted) throw error
  } finally {
    ended.abort()
    await renewing
    await lock.deleteIfMine(owner)
  }
  return lost.signal.aborted ? 'lost' : 'done'
}
