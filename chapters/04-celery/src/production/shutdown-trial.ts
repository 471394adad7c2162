/** A worker for production that is told to end while it works: what becomes of the tasks that run and of those that wait. */

import { until } from '@repo/common/async/until'
import { startProgram } from '@repo/common/process/child'
import { startRedis } from '@repo/common/servers/redis'
import { type Client, openClient } from '../queue/client.ts'
import { defaultQueue } from '../queue/settings.ts'
import { nap } from '../tasks/tour.ts'

export interface ShutdownReport {
  tasks: number
  /** Ran when SIGTERM came. */
  running: number
  /** What `/ready` answered before and after it. */
  readyBefore: number
  readyAfter: number
  /** The exit code, how long it took, and how many tasks were done by then. */
  code: number | null
  ms: number
  doneThen: number
  /** How many were done in the end, by another worker; and how many were begun more than once. */
  done: number
  begunTwice: number
}

/** @param napMs how long the tasks take that run when it is told to end; longer than it takes to tell it, and to see what it says */
export async function shutDown(
  { tasks, concurrency, napMs }: { tasks: number; concurrency: number; napMs: number },
  { signal }: { signal: AbortSignal },
): Promise<ShutdownReport> {
  await using server = await startRedis({ own: true, appendOnly: true, signal })
  await using client = await openClient({ url: server.url })
  const start = () =>
    startProgram<{ name: string; healthPort: number }>(new URL('./worker.program.ts', import.meta.url), {
      env: { REDIS_URL: server.url, WORKER_CONCURRENCY: String(concurrency), LOG_LEVEL: 'error' },
      signal,
      stopTimeoutMs: 60_000,
    })
  await using first = await start()
  const results = await client.sendMany(
    nap,
    Array.from({ length: tasks }, (_, at) => ({ ms: at < concurrency ? napMs : 1 })),
  )
  const queue = client.queue(defaultQueue)
  await until(async () => (await queue.getActiveCount()) === concurrency, { timeoutMs: 60_000, signal })

  const ready = async () => (await fetch(`http://127.0.0.1:${first.info.healthPort}/ready`)).status
  const readyBefore = await ready()
  const begin = performance.now()
  first.process.kill('SIGTERM')
  // It goes on answering while it ends.
  const readyAfter = await until(
    async () => {
      const status = await ready()
      return status === 200 ? undefined : status
    },
    { timeoutMs: 60_000, signal },
  )
  const { code } = await first.exited
  const ms = performance.now() - begin
  const doneThen = await queue.getCompletedCount()
  await using _second = await start()
  const outcomes = await Promise.all(results.map((result) => result.get({ timeoutMs: 120_000, signal })))
  return {
    tasks,
    running: concurrency,
    readyBefore,
    readyAfter,
    code,
    ms,
    doneThen,
    done: outcomes.length,
    begunTwice: await begunTwice(
      client,
      results.map(({ id }) => id),
    ),
  }
}

async function begunTwice(client: Client, ids: string[]): Promise<number> {
  const jobs = await Promise.all(ids.map((id) => client.queue(defaultQueue).getJob(id)))
  return jobs.filter((job) => (job?.attemptsStarted ?? 0) > 1).length
}
