/** The task of the drill: it books an amount, which must happen once however often the task is run. */
import { z } from 'zod'
import { defineTask } from '../queue/task.ts'

export const drillQueue = 'drill'

/** As the sender has it; what the worker does is in drill-worker.program.ts. */
export const book = defineTask({
  name: 'book',
  queue: drillQueue,
  args: z.object({
    job: z.int().min(0),
    amount: z.int().min(1),
    /** How long the work before and after the booking takes. */
    beforeMs: z.number().min(0).max(60_000),
    afterMs: z.number().min(0).max(60_000),
  }),
})

/** Keys in the ledger, which is a Redis too. */
export const ledgerKeys = (prefix: string) => ({
  /** How often each job's amount was booked: a hash by job. */
  bookings: `${prefix}:bookings`,
  /** The sum of all amounts. */
  sum: `${prefix}:sum`,
  /** As `bookings`, but written without a key that says it has been done. */
  careless: `${prefix}:careless`,
  done: (job: number) => `${prefix}:done:${job}`,
})
