/** The functions that the workers of the smallest queue know. */
import { setTimeout as delay } from 'node:timers/promises'
import { readDistantRate } from '@repo/common/workloads/rates'
import { z } from 'zod'
import { remote } from './rq.ts'

const latencyMs = z.int().min(0).max(60_000)

export const functions = {
  /** A pair's exchange rate, as from a service that is far away: the rate is real, its latency is simulated. */
  rate: remote(z.tuple([z.string(), z.string(), latencyMs]), (from, to, meanMs) =>
    readDistantRate({ from, to }, { meanMs }),
  ),
  /** Waits and returns how long. */
  nap: remote(z.tuple([latencyMs]), async (ms) => {
    await delay(ms)
    return ms
  }),
  add: remote(z.tuple([z.number(), z.number()]), (a, b) => a + b),
}
