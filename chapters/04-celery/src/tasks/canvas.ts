/** The tasks of the examples `canvas` and `currency`. */
import { setTimeout as delay } from 'node:timers/promises'
import { readDistantRate } from '@repo/common/workloads/rates'
import { z } from 'zod'
import { taskErrorSchema } from '../queue/message.ts'
import { defineTask } from '../queue/task.ts'

const ms = z.number().min(0).max(10_000).default(50)

/** Waits, to be visible in the picture, and squares; refuses 13. */
export const square = defineTask({
  name: 'canvas.square',
  args: z.object({ n: z.number(), ms }),
  run: async ({ n, ms }, { signal }) => {
    await delay(ms, undefined, { signal })
    if (n === 13) throw new RangeError('13 is not squared here')
    return n * n
  },
})

/** Sums the numbers; null counts as 0. */
export const sum = defineTask({
  name: 'canvas.sum',
  args: z.object({ numbers: z.array(z.number().nullable()), ms }),
  run: async ({ numbers, ms }, { signal }) => {
    await delay(ms, undefined, { signal })
    return numbers.reduce<number>((total, n) => total + (n ?? 0), 0)
  },
})

export const increment = defineTask({
  name: 'canvas.increment',
  args: z.object({ n: z.number(), ms }),
  run: async ({ n, ms }, { signal }) => {
    await delay(ms, undefined, { signal })
    return n + 1
  },
})

/** Sent by `link` and `linkError`; returns what it was sent with. */
export const noted = defineTask({
  name: 'canvas.noted',
  args: z.object({ value: z.unknown().optional(), error: taskErrorSchema.optional() }),
  run: ({ value, error }) => (error ? `${error.task}: ${error.message}` : value),
})

/** The exchange rate of one day. The time that the source takes is simulated. */
export const rate = defineTask({
  name: 'currency.rate',
  args: z.object({
    from: z.string().regex(/^[a-z0-9-]{1,40}$/),
    to: z.string().regex(/^[a-z0-9-]{1,40}$/),
    latencyMs: z.number().min(0).max(10_000),
    seed: z.int().default(1),
  }),
  run: async ({ from, to, latencyMs, seed }, { signal, worker }) => {
    return { ...(await readDistantRate({ from, to }, { meanMs: latencyMs, seed, signal })), worker }
  },
})

export const canvasTasks = [square, sum, increment, noted, rate]
