/** The tasks that this chapter's worker serves to Celery's clients in Python. */
import { setTimeout as delay } from 'node:timers/promises'
import { readRate } from '@repo/common/workloads/rates'
import { z } from 'zod'
import { celeryTask } from './worker.ts'

export const celeryTasks = {
  // #region served
  rate: celeryTask({
    args: z.tuple([z.string()]),
    kwargs: z.strictObject({ to: z.string() }),
    run: async ([from], { to }) => (await readRate({ from, to })).rate,
  }),
  square: celeryTask({ args: z.tuple([z.number()]), run: ([n]) => n * n }),
  // #endregion served
  nap: celeryTask({
    args: z.tuple([z.number().min(0).max(60)]),
    run: async ([seconds], _, { signal }) => void (await delay(seconds * 1_000, undefined, { signal })),
  }),
  /** Fails a number of times, and is tried again each time. */
  flaky: celeryTask({
    args: z.tuple([z.int().min(0).max(10)]),
    maxRetries: 5,
    retryDelayMs: 100,
    run: ([failures], _, { retries }) => {
      if (retries < failures) throw new Error(`attempt ${retries + 1} failed`)
      return `done at attempt ${retries + 1}`
    },
  }),
}
