/** A task that keeps a processor busy, in each of the four places where a worker can run it. */
import { z } from 'zod'
import { defineTask } from '../queue/task.ts'
import { inThread } from '../worker/threads.ts'
import { countPrimes, countPrimesInSlices } from './primes.ts'

const queue = 'cpu-bound'
const args = z.object({ below: z.int().min(0).max(1_000_000_000), leastMs: z.number().min(0).max(3_600_000) })

// #region two-places
export const onTheEventLoop = defineTask({
  name: 'primes.on-the-event-loop',
  queue,
  args,
  run: ({ below, leastMs }) => countPrimes(below, leastMs),
})

export const inAThread = defineTask({
  name: 'primes.in-a-thread',
  queue,
  args,
  run: inThread<z.infer<typeof args>, number>(new URL('./primes.worker.ts', import.meta.url)),
})
// #endregion two-places

/** BullMQ's own worker runs it, with sandbox.ts as its processor. A queue has one processor, so this has its own. */
export const sandboxed = defineTask<typeof args, number>({
  name: 'primes.sandboxed',
  queue: 'cpu-bound-sandboxed',
  args,
})

export const inSlices = defineTask({
  name: 'primes.in-slices',
  queue,
  args,
  run: ({ below, leastMs }, { signal }) => countPrimesInSlices(below, { sliceMs: 20, leastMs, signal }),
})
