/** The drill's task: it books an amount, which must happen once, however often the task is run. */
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import type { Redis } from '../queue/connect.ts'
import { defineTask } from '../queue/task.ts'
import { once } from '../worker/idempotency.ts'

export const drillQueue = 'drill'

/** The sender's definition; worker.program.ts adds what the worker does, `bookIn`. */
export const book = defineTask({
  name: 'book',
  queue: drillQueue,
  args: z.object({
    job: z.int().min(0),
    amount: z.int().min(1),
    /** Work before and after the booking. */
    beforeMs: z.number().min(0).max(60_000),
    afterMs: z.number().min(0).max(60_000),
  }),
})

export type Booking = z.output<typeof book.args>

/** What a job books: always the same, with work of 1 to 20 ms before the booking and after it. */
export const bookingOf = (job: number): Booking => ({
  job,
  amount: 1 + (job % 97),
  beforeMs: 1 + ((job * 7) % 20),
  afterMs: 1 + ((job * 13) % 20),
})

/** Keys of the ledger, which is a Redis too. */
export const ledgerKeys = (prefix: string) => ({
  /** How often each job's amount was booked: a hash by job. */
  bookings: `${prefix}:bookings`,
  /** The sum of all amounts. */
  sum: `${prefix}:sum`,
  /** Like `bookings`, but written without a key that says it was done. */
  careless: `${prefix}:careless`,
  done: (job: number) => `${prefix}:done:${job}`,
})

type LedgerKeys = ReturnType<typeof ledgerKeys>

// #region book
/** Books in a ledger, once for each job. Returns the amount. */
export async function bookIn(ledger: Redis, keys: LedgerKeys, { job, amount, beforeMs, afterMs }: Booking) {
  await delay(beforeMs)
  await ledger.hincrby(keys.careless, String(job), 1)
  await once(ledger, keys.done(job), [
    ['INCRBY', keys.sum, amount],
    // Last, because this value is large.
    ['HINCRBY', keys.bookings, job, 1],
  ])
  await delay(afterMs)
  return amount
}
// #endregion book

/**
 * Counts what became of the bookings of the jobs from 0 to `jobs` − 1.
 *
 * @throws an Error if the sum is not that of the bookings
 */
export async function countBookings(ledger: Redis, keys: LedgerKeys, jobs: number) {
  const [bookings, careless, sum] = await Promise.all([
    ledger.hgetall(keys.bookings),
    ledger.hgetall(keys.careless),
    ledger.get(keys.sum),
  ])
  const all = Array.from({ length: jobs }, (_, job) => job)
  const booked = all.reduce((total, job) => total + bookingOf(job).amount * Number(bookings[job] ?? 0), 0)
  if (booked !== Number(sum)) throw new Error(`the ledger's sum is ${sum}, its bookings are ${booked}`)
  const doubledIn = (hash: Record<string, string>) => Object.values(hash).filter((times) => Number(times) > 1).length
  return {
    /** Jobs whose amount is not in the ledger. */
    effectsLost: all.filter((job) => !Object.hasOwn(bookings, job)).length,
    /** Jobs whose amount was booked more than once. */
    doubled: doubledIn(bookings),
    /** The same for the write without a key. */
    doubledWithoutKey: doubledIn(careless),
  }
}
