// The checker says: Job 1 is counted twice.
/** Waits until all jobs are done, and adds up the counts of every report. */
import type { Counts, Driver, Job, Worker } from '../check.ts'

export async function work({ id, text }: Job, { count, put, report }: Worker): Promise<void> {
  await put(id, count(text))
  await report(id)
}

export async function reduce(jobs: readonly Job[], { nextReport, get }: Driver): Promise<Counts> {
  const total: Counts = new Map()
  const missing = new Set(jobs.map(({ id }) => id))
  while (missing.size > 0) {
    const id = await nextReport()
    missing.delete(id)
    for (const [word, times] of await get(id)) total.set(word, (total.get(word) ?? 0) + times)
  }
  return total
}
