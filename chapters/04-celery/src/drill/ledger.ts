/** The drill's task: it books an amount, which must happen once, however often the task is run. */
import { z } from 'zod'
import { defineTask } from '../queue/task.ts'

export const drillQueue = 'drill'

/** The sender's definition; worker.program.ts adds what the worker does. */
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
