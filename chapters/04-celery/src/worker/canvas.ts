/**
 * The worker's part of a canvas: fetches the results that a task takes from its predecessors, runs a task for a list of
 * arguments, and adds the jobs that follow. The client's part, which plans all this, is in the folder `canvas`.
 *
 * The following jobs are added before the task is acknowledged. If the worker dies in between, the task runs again and
 * adds the jobs again, with the same ids, so each exists only once.
 */
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import { errorOf } from '@repo/common/output/errors'
import { ErrorCode, type Job } from 'bullmq'
import { InvalidArguments, PredecessorFailed } from '../queue/errors.ts'
import { type CanvasPart, jobKey, type Link, type Message, type TaskError } from '../queue/message.ts'
import type { Call, Middleware } from './call.ts'
import { textsOf } from './failure.ts'
import type { Run } from './run.ts'

const lookEveryMs = 50
/** How long a list of tasks that never wait may block the event loop, and with it the renewal of the lock. */
const sliceMs = 20

/**
 * The middleware of a task that is part of a canvas.
 *
 * @param checked returns a result that may be sent, and throws for any other: what follows must not get it either
 */
export function canvasMiddleware(
  { map, takes, early, links, errorLinks }: CanvasPart,
  run: Pick<Run, 'within'>,
  checked: (result: unknown) => unknown,
): Middleware {
  return async (call, next) => {
    let result: unknown
    try {
      if (takes) call.args = withArgument(call.args, takes.into, await taken(call, takes))
      if (early) await call.job.removeUnprocessedChildren()
      result = checked(map ? await run.within(() => forEach(call, next)) : await next())
    } catch (thrown) {
      if (errorLinks && call.isFinal(errorOf(thrown))) await follow(call, errorLinks, taskErrorOf(call, thrown))
      throw thrown
    }
    if (early) await childrenEnded(call)
    // An error here fails this try of the task, but is not an error of the task, so its error links are not sent.
    if (links) await follow(call, links, result)
    return result
  }
}

/**
 * Lets a task wait for the tasks before it, if they have not ended. At its first run they have; but a task that failed
 * because of one of them may be retried by hand together with it, or before it, and would run without its result.
 *
 * @returns whether it waits
 * @throws PredecessorFailed if one of them has failed and was not retried
 */
export async function waitsAgain(job: Job<Message>, token = ''): Promise<boolean> {
  try {
    return await job.moveToWaitingChildren(token)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === ErrorCode.JobHasFailedChildren)) throw error
    throw new PredecessorFailed(`${job.name}: a task before it has failed: retry that one first`)
  }
}

async function forEach(call: Call, next: () => Promise<unknown>): Promise<unknown[]> {
  const results: unknown[] = []
  const list = call.args
  if (!Array.isArray(list)) throw new InvalidArguments(`${call.task.name}: received no list of arguments`)
  let begin = performance.now()
  for (const args of list) {
    call.args = args
    results.push(await next())
    if (performance.now() - begin < sliceMs) continue
    await turn()
    begin = performance.now()
  }
  return results
}

/** The children's results in the order in which they were sent; null for a child without one. */
async function taken({ job, client }: Call, { from, all }: NonNullable<CanvasPart['takes']>): Promise<unknown> {
  const values: Record<string, unknown> = await job.getChildrenValues()
  const results = from.map((id) => values[jobKey(client.prefix, id)] ?? null)
  return all ? results : results[0]
}

/** BullMQ does not let a job end while jobs below it run. If one of them loses its worker, it is not run again. */
async function childrenEnded({ job, context: { signal } }: Call): Promise<void> {
  while ((await job.getDependenciesCount({ unprocessed: true })).unprocessed) {
    // Throws the signal's reason, not an AbortError: a task that is given back has not failed.
    await delay(lookEveryMs, undefined, { signal }).catch(() => signal.throwIfAborted())
    await job.removeUnprocessedChildren()
  }
}

async function follow({ client }: Call, links: readonly Link[], value: unknown): Promise<void> {
  for (const { into, queueName, name, data, opts } of links) {
    const args = into === undefined ? data.args : withArgument(data.args, into, value)
    // Not in bulk: only `add` reports that the parent job is missing.
    await client.queue(queueName).add(name, { ...data, args } as Message, opts)
  }
}

const withArgument = (args: unknown, into: string, value: unknown) => ({ ...(args as object), [into]: value })

const taskErrorOf = ({ job, task }: { job: Job; task: { name: string } }, thrown: unknown): TaskError => ({
  id: job.id ?? '',
  task: task.name,
  ...textsOf(thrown),
})
