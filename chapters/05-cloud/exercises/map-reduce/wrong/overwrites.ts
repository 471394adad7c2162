// The checker says: A word that occurs in two texts is not counted in both.
/** Takes the counts of the job that was reported last for those of all jobs. */
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
    for (const [word, times] of await get(id)) total.set(word, times)
  }
  return total
}
