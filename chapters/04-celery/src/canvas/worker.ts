/**
 * The worker's part of a canvas: fetches what a task takes from those before it, runs a task for a list of arguments, and adds the
 * jobs that follow.
 *
 * They are added before the task is acknowledged. So a worker that dies in between has the task run again, and the jobs
 * added again; their ids are the same, and they are there once.
 */
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import type { Job } from 'bullmq'
import { type Message, partsOf } from '../queue/message.ts'
import type { Run } from '../worker/run.ts'
import type { Call, Middleware } from '../worker/worker.ts'
import type { CanvasPart, Link, TaskError } from './message.ts'

const lookEveryMs = 50
/** A list of tasks that never wait holds up the event loop, and with it the renewal of the lock, no longer than this. */
const sliceMs = 20

/** Around every task that is part of a canvas. */
export function canvasMiddleware(
  { map, takes, early, links, errorLinks }: CanvasPart,
  run: Pick<Run, 'within'>,
): Middleware {
  return async (call, next) => {
    let result: unknown
    try {
      if (takes) call.args = withArgument(call.args, takes.into, await taken(call, takes))
      if (early) await call.job.removeUnprocessedChildren()
      result = map ? await run.within(() => forEach(call, next)) : await next()
    } catch (error) {
      if (errorLinks && error instanceof Error && call.isFinal(error))
        await follow(call, errorLinks, errorOf(call, error))
      throw error
    }
    if (early) await childrenEnded(call)
    // What goes wrong here fails this try of the task, but is no reason to call those who wait for its error.
    if (links) await follow(call, links, result)
    return result
  }
}

async function forEach(call: Call, next: () => Promise<unknown>): Promise<unknown[]> {
  const results: unknown[] = []
  const list = Array.isArray(call.args) ? call.args : []
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

/** The children's results in the order in which they were sent; null for one that has none. */
async function taken({ job, client }: Call, { from, all }: NonNullable<CanvasPart['takes']>): Promise<unknown> {
  const values: Record<string, unknown> = await job.getChildrenValues()
  const results = from.map((id) => values[`${client.prefix}:${partsOf(id)?.queue}:${id}`] ?? null)
  return all ? results : results[0]
}

/** BullMQ lets no job end before those below it that run. Should one of them lose its worker, it is not run again. */
async function childrenEnded({ job, context: { signal } }: Call): Promise<void> {
  while ((await job.getDependenciesCount({ unprocessed: true })).unprocessed) {
    // With the reason, and not with an AbortError: a task that is given back has not failed.
    await delay(lookEveryMs, undefined, { signal }).catch(() => signal.throwIfAborted())
    await job.removeUnprocessedChildren()
  }
}

async function follow({ client }: Call, links: readonly Link[], value: unknown): Promise<void> {
  for (const { into, queueName, name, data, opts } of links) {
    const args = into === undefined ? data.args : withArgument(data.args, into, value)
    // Not in bulk: that would not say that the job above it is no longer there.
    await client.queue(queueName).add(name, { ...data, args } as Message, opts)
  }
}

const withArgument = (args: unknown, into: string, value: unknown) => ({ ...(args as object), [into]: value })

function errorOf({ job, task }: { job: Job; task: { name: string } }, error: Error): TaskError {
  const { name, message, stack = '' } = error
  return { id: job.id ?? '', task: task.name, name, message, stack }
}
