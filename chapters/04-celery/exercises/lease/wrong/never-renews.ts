// The checker says: a is still at work when its lease ends, and b begins as well.
/** Hopes that the lease is long enough. */
import type { Lock, Options, Outcome, Work } from '../check.ts'

export async function underLease(lock: Lock, work: Work, { owner, leaseMs }: Options): Promise<Outcome> {
  if (!(await lock.takeIfFree(owner, leaseMs))) return 'busy'
  try {
    await work(new AbortController().signal)
    return 'done'
  } finally {
    await lock.deleteIfMine(owner)
  }
}
