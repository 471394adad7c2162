/** Starts worker processes of the smallest queue. */
import { startProgram } from '@repo/common/process/child'

/** The queue that rq-workers serves and to which rq-currency hands its jobs. */
export const currencyQueue = 'currency'

export interface WorkerOptions {
  signal?: AbortSignal | undefined
  /** Jobs at a time; 1 by default, like RQ. */
  concurrency?: number
  /** How long it may give no sign of life; 15 s by default. */
  leaseMs?: number
  /** How long it has after SIGTERM to finish its jobs, until SIGKILL; 5 s by default. */
  stopTimeoutMs?: number
}

/** Starts a worker in a process of its own and waits until it takes jobs. */
export async function startWorker(
  url: string,
  queue: string,
  { signal, concurrency = 1, leaseMs = 15_000, stopTimeoutMs = 5_000 }: WorkerOptions = {},
) {
  return await startProgram(new URL('./worker.program.ts', import.meta.url), {
    args: [queue, String(concurrency), String(leaseMs)],
    // Not among the arguments, because any user may read a command line.
    env: { REDIS_URL: url },
    signal,
    stopTimeoutMs,
  })
}
