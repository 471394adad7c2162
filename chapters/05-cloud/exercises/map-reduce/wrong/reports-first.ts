// The checker says: Job 1 is reported, and its counts are not in the bucket.
/** Reports a job before its counts are stored. */
import type { Counts, Driver, Job, Worker } from '../check.ts'

export async function work({ id, text }: Job, { count, put, report }: Worker): Promise<void> {
  const counts = count(text)
  await report(id)
  await put(id, counts)
}

export async function reduce(jobs: readonly Job[], { nextReport, get }: Driver): Promise<Counts> {
  const total: Counts = new Map()
  const missing = new Set(jobs.map(({ id }) => id))
  while (missing.size > 0) {
    const id = await nextReport()
    if (!missing.delete(id)) continue
    for (const [word, times] of await get(id)) total.set(word, (total.get(word) ?? 0) + times)
  }
  return total
}
