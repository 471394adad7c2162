/**
 * What failed for good: BullMQ keeps it in the queue's failed set, with its arguments and stack, for two weeks. It can be looked
 * at, sent again when the cause is gone, or thrown away.
 */
import type { Job } from 'bullmq'
import { unrevoke } from '../worker/revocations.ts'
import type { Client } from './client.ts'
import { nameInStack, TaskRevoked } from './errors.ts'
import type { Message } from './message.ts'
import type { TaskResult } from './results.ts'

export interface DeadLetter {
  id: string
  task: string
  args: unknown
  /** The name and message of the last error, and the worker's stack. */
  error: string
  message: string
  stack: string
  /** How often it was tried. */
  tries: number
  failedAt: Date
  /** The worker that had it last. */
  worker: string | undefined
}

/** So many are looked at in one call that names none. */
const limit = 1_000

/** The latest 1,000 tasks of a queue that failed for good, the latest first; revoked ones are not among them. */
export async function deadLetters(client: Client, queue: string): Promise<DeadLetter[]> {
  return (await failedJobs(client, queue)).map((job) => {
    const stack = job.stacktrace?.at(-1) ?? ''
    return {
      id: job.id ?? '',
      task: job.name,
      args: job.data.args,
      stack,
      error: nameInStack(stack),
      message: job.failedReason ?? '',
      tries: job.attemptsMade,
      failedAt: new Date(job.finishedOn ?? 0),
      worker: job.processedBy,
    }
  })
}

/**
 * Sends dead letters again, as new: with all their tries, and without the time at which they would have expired.
 *
 * @param ids which ones; the latest 1,000 when not given
 * @returns their results, to be waited for; an id that is not among the dead letters is left out
 */
export async function replay(client: Client, queue: string, ids?: readonly string[]): Promise<TaskResult[]> {
  const jobs = await failedJobs(client, queue, ids)
  await unrevoke(
    client,
    jobs.map((job) => job.id ?? ''),
  )
  const results: TaskResult[] = []
  for (const job of jobs) {
    const { expiresAt: _at, expiresInMs: _inMs, ...message } = job.data
    await job.updateData(message)
    // How often it has lost its worker, which BullMQ would go on counting.
    await client.redis.hdel(client.queue(queue).toKey(job.id ?? ''), 'stc')
    await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true })
    results.push(client.result(job.id ?? '', { queue, task: job.name }))
  }
  return results
}

/** Throws dead letters away; the latest 1,000 when no ids are given. Returns how many. */
export async function discard(client: Client, queue: string, ids?: readonly string[]): Promise<number> {
  const jobs = await failedJobs(client, queue, ids)
  for (const job of jobs) await job.remove()
  return jobs.length
}

async function failedJobs(client: Client, queue: string, ids?: readonly string[]): Promise<Job<Message>[]> {
  const from = client.queue(queue)
  const failed = async (id: string) => ((await from.getJobState(id)) === 'failed' ? await from.getJob(id) : undefined)
  const jobs = ids ? await Promise.all([...new Set(ids)].map(failed)) : await from.getFailed(0, limit - 1)
  return jobs
    .flatMap((job) => job ?? [])
    .filter((job) => nameInStack(job.stacktrace?.at(-1) ?? '') !== TaskRevoked.name)
}
