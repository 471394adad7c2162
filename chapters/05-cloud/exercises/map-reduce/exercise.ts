/** Words are counted by workers that may die, with jobs that may be done twice. */
import type { Counts, Driver, Job, Worker } from './check.ts'

/** Does one job: counts the words of its text, stores the counts, and reports that the job is done. */
export async function work(_job: Job, _worker: Worker): Promise<void> {
  // Your code: in which order?
}

/** Returns how often each word occurs in the texts of all jobs together. Ends when all jobs have been counted. */
export async function reduce(_jobs: readonly Job[], _driver: Driver): Promise<Counts> {
  // Your code: what does a report prove, and how often may it come?
  return new Map()
}
