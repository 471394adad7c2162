/** Words are counted by workers that may die, with jobs that may be done twice. */
import type { Counts, Driver, Job, Worker } from './check.ts'

/** Does one job: counts the words of its text, stores the counts, and reports that the job is done. */
export async function work({ id, text }: Job, { count, put, report }: Worker): Promise<void> {
  // If the worker dies in between, the job is done twice, and the second counts replace the first. It is never lost.
  await put(id, count(text))
  await report(id)
}

/** Returns how often each word occurs in the texts of all jobs together. Ends when all jobs have been counted. */
export async function reduce(jobs: readonly Job[], { nextReport, get }: Driver): Promise<Counts> {
  const total: Counts = new Map()
  const missing = new Set(jobs.map(({ id }) => id))
  while (missing.size > 0) {
    const id = await nextReport()
    // A job that was done twice has been added already.
    if (!missing.delete(id)) continue
    for (const [word, times] of await get(id)) total.set(word, (total.get(word) ?? 0) + times)
  }
  return total
}
