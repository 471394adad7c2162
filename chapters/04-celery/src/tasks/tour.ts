/** The tasks of the examples that show the layer part by part: results to revoke, and monitor. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { defineTask } from '../queue/task.ts'
import { inThread } from '../worker/threads.ts'

/** Throws a few calls deep, so that its stack is worth reading. */
export const convert = defineTask({
  name: 'convert',
  args: z.object({ amount: z.number(), rate: z.number() }),
  run: (order) => total(order),
})

function total({ amount, rate }: { amount: number; rate: number }) {
  return amount / checked(rate)
}

function checked(rate: number) {
  if (rate <= 0) throw new RangeError(`rate: received ${rate}; accepts numbers above 0`)
  return rate
}

/** Waits, unless it is stopped; then it throws the reason. */
export const nap = defineTask({
  name: 'nap',
  args: z.object({ ms: z.number().max(3_600_000) }),
  run: async ({ ms }, { worker, signal }) => {
    await delay(ms, undefined, { signal })
    return { worker }
  },
})

/**
 * Calls a service that serves a limited number of calls in each window of time and turns the others away. The service
 * is simulated by a counter in Redis under `key`.
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

/** Sent by a schedule; returns when it ran and for which moment. */
export const tick = defineTask({
  name: 'tick',
  args: z.object({}),
  run: (_, { id, worker }) => ({ due: Number(id.split(':').at(-1)), at: Date.now(), worker }),
})

/** Tasks that return where they ran; the routes of index.ts go by their names. */
const place = {
  args: z.object({ n: z.number().default(0) }),
  run: ({ n }: { n: number }, { queue, worker }: { queue: string; worker: string }) => ({ n, queue, worker }),
}
export const sendMail = defineTask({ name: 'mail.send', ...place })
export const mailDigest = defineTask({ name: 'mail.digest', ...place })
export const resizeImage = defineTask({ name: 'image.resize', ...place })
export const report = defineTask({ name: 'report', ...place })

/** Returns when it began; at most 20 begin in a second, on all workers together. */
export const limited = defineTask({
  name: 'limited',
  args: z.object({}),
  rateLimit: { max: 20, perMs: 1_000 },
  run: (_, { worker }) => ({ at: Date.now(), worker }),
})

// #region collect
/** Collects items until it is asked to stop, and returns what it has: a task that respects its soft limit. */
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
// #endregion collect

/** Ignores its signal: only the hard limit ends the wait for it. */
export const deaf = defineTask({
  name: 'deaf',
  args: z.object({ ms: z.number().max(60_000) }),
  hardLimitMs: 300,
  run: async ({ ms }) => await delay(ms),
})

/** Computes for ever in a thread, until the hard limit ends it. */
export const spin = defineTask({
  name: 'spin',
  args: z.object({}),
  hardLimitMs: 600,
  run: inThread<object, never>(new URL('./spin.worker.ts', import.meta.url), { threads: 1 }),
})

/** Fails on the first try; a retry succeeds. */
export const stumble = defineTask({
  name: 'stumble',
  args: z.object({ over: z.string() }),
  run: ({ over }, { attempt }) => {
    if (attempt === 1) throw new Error(`stumbled over ${over}`)
    return `not over ${over} again`
  },
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
  stumble,
]
