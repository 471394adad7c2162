/** Tasks of your own: worker and client import this file. */
// #region tasks
import { setTimeout as delay } from 'node:timers/promises'
import { defineTask } from '04-celery/queue/task'
import { z } from 'zod'

/** Takes an object; the schema checks it before it is sent, and again before it is run. */
export const invoice = defineTask({
  name: 'invoice',
  args: z.object({ customer: z.string(), lines: z.array(z.object({ cents: z.int(), count: z.int().default(1) })) }),
  run: ({ lines }) => lines.reduce((total, { cents, count }) => total + cents * count, 0),
})

/** Fails on its first two tries. The wait before the next try is random, at first up to 200 ms, then up to 400 ms. */
export const charge = defineTask({
  name: 'charge',
  args: z.object({ customer: z.string(), cents: z.int() }),
  retries: { max: 3, baseMs: 200 },
  run: async ({ customer, cents }, { attempt, signal }) => {
    await delay(50, undefined, { signal })
    if (attempt < 3) throw new Error('the bank does not answer')
    return `${customer} paid ${cents} cents, try ${attempt}`
  },
})

/** Gets the results of other tasks: the end of a chord. */
export const sum = defineTask({
  name: 'sum',
  args: z.object({ numbers: z.array(z.number()) }),
  run: ({ numbers }) => numbers.reduce((total, n) => total + n, 0),
})
// #endregion tasks
