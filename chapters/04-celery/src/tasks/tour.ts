/** The tasks of the examples that show the layer part by part. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { defineTask } from '../queue/task.ts'
import { inThread } from '../worker/threads.ts'

/** Throws, some calls deep, so that its stack has something to tell. */
export const convert = defineTask({
  name: 'convert',
  args: z.object({ amount: z.number(), rate: z.number() }),
  run: (order) => total(order),
})

function total({ amount, rate }: { amount: number; rate: number }) {
  return amount / checked(rate)
}

function checked(rate: number) {
  if (rate <= 0) throw new RangeError(`a rate of ${rate} cannot be`)
  return rate
}

/** Takes its time, unless it is stopped; then it says so and why. */
export const nap = defineTask({
  name: 'nap',
  args: z.object({ ms: z.number().max(3_600_000) }),
  run: async ({ ms }, { worker, signal }) => {
    await delay(ms, undefined, { signal })
    return { worker }
  },
})

/**
 * Calls a service that serves only so many calls in each window of time and turns the others away. The service is simulated: a
 * counter in Redis. `key` says which one.
 */
const busyService = {
  args: z.object({ key: z.string().max(200), calls: z.number(), windowMs: z.number() }),
  async run(
    { key, calls, windowMs }: { key: string; calls: number; windowMs: number },
    { redis, attempt }: { redis: Redis; attempt: number },
  ) {
    const now = Date.now()
    const window = `${key}:${Math.floor(now / windowMs)}`
    const [[, served] = []] =
      (await redis
        .multi()
        .incr(window)
        .pexpire(window, 10 * windowMs)
        .exec()) ?? []
    if (Number(served) > calls) throw new Error('503: too many calls')
    return { attempt, at: now }
  },
}
const backOff = { max: 12, baseMs: 100, maxMs: 1_600 }
export const callWithJitter = defineTask({ name: 'call.jitter', ...busyService, retries: backOff })
export const callTogether = defineTask({
  name: 'call.together',
  ...busyService,
  retries: { ...backOff, jitter: false },
})

/** Says when it was run and for which moment; sent by a schedule. */
export const tick = defineTask({
  name: 'tick',
  args: z.object({}),
  run: (_, { id, worker }) => ({ due: Number(id.split(':').at(-1)), at: Date.now(), worker }),
})

/** Tasks that say where they were run; tasks.ts routes them by their names. */
const place = {
  args: z.object({ n: z.number().default(0) }),
  run: ({ n }: { n: number }, { queue, worker }: { queue: string; worker: string }) => ({ n, queue, worker }),
}
export const sendMail = defineTask({ name: 'mail.send', ...place })
export const mailDigest = defineTask({ name: 'mail.digest', ...place })
export const resizeImage = defineTask({ name: 'image.resize', ...place })
export const report = defineTask({ name: 'report', ...place })

/** Says when it began; no more than so many begin in a second, on all workers together. */
export const limited = defineTask({
  name: 'limited',
  args: z.object({}),
  rateLimit: { max: 20, perMs: 1_000 },
  run: (_, { worker }) => ({ at: Date.now(), worker }),
})

/** Sums what comes until it is asked to stop, and returns what it has: a task that knows its soft limit. */
export const collect = defineTask({
  name: 'collect',
  args: z.object({ everyMs: z.number().min(1) }),
  softLimitMs: 300,
  hardLimitMs: 60_000,
  run: async ({ everyMs }, { signal }) => {
    let items = 0
    while (!signal.aborted) {
      await delay(everyMs)
      items++
    }
    return { items, because: (signal.reason as Error).name }
  },
})

/** Does not listen: only the hard limit ends the wait for it. */
export const deaf = defineTask({
  name: 'deaf',
  args: z.object({ ms: z.number().max(60_000) }),
  hardLimitMs: 300,
  run: async ({ ms }) => await delay(ms),
})

/** Computes for ever in a thread, which the hard limit ends. */
export const spin = defineTask({
  name: 'spin',
  args: z.object({}),
  hardLimitMs: 600,
  run: inThread<object, never>(new URL('./spin.worker.ts', import.meta.url), { threads: 1 }),
})

export const tourTasks = [
  convert,
  nap,
  callWithJitter,
  callTogether,
  tick,
  sendMail,
  mailDigest,
  resizeImage,
  report,
  limited,
  collect,
  deaf,
  spin,
]
