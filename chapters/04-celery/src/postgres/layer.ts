/**
 * The chapter's tasks on PostgreSQL: sending with checked arguments, results with the worker's stack, retries, a worker that
 * takes over from one that died. What of the layer stands in Redis beside the queue is not here: revoking, rate limits,
 * remote control, canvas.
 */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { z } from 'zod'
import { describeIssues } from '../queue/client.ts'
import { InvalidArguments, nameInStack, TaskFailed, UnknownTask } from '../queue/errors.ts'
import { type Message, messageSchema } from '../queue/message.ts'
import { waitFor } from '../queue/results.ts'
import { retryDelayMs } from '../queue/retry.ts'
import { defaultQueue, keptSeconds } from '../queue/settings.ts'
import type { Task } from '../queue/task.ts'
import { Run } from '../worker/run.ts'
import { type PostgresConnection, Queue, QueueEvents, Worker, waiting } from './postgres.ts'

/** A task that was sent. */
export interface PostgresResult<R> {
  id: string
  /** Waits for the end. Throws TaskFailed with the worker's stack, ResultTimeout, or the signal's reason. */
  get: (options?: { timeoutMs?: number; signal?: AbortSignal }) => Promise<R>
}

export interface PostgresClient extends AsyncDisposable {
  send: <S extends z.ZodType, R>(task: Task<S, R>, args: z.input<S>) => Promise<PostgresResult<R>>
  sendMany: <S extends z.ZodType, R>(task: Task<S, R>, argsList: readonly z.input<S>[]) => Promise<PostgresResult<R>[]>
  /** Runs SQL beside the queue. */
  query: (text: string, params?: unknown[]) => Promise<Record<string, unknown>[]>
}

/** A client of one queue. */
export async function openPostgresClient(
  connection: PostgresConnection,
  { queue: name = defaultQueue }: { queue?: string } = {},
): Promise<PostgresClient> {
  const queue = new Queue<Message>(name, { connection })
  const events = new QueueEvents(name, { connection, ...waiting.events })
  queue.on('error', () => {})
  events.on('error', () => {})
  const open = new Map<string, PromiseWithResolvers<unknown>>()
  events.on('completed', ({ jobId, returnvalue }) => open.get(jobId)?.resolve(returnvalue))
  events.on('failed', ({ jobId, failedReason }) => {
    // The event has the message; the stack is with the job.
    const fail = async () => (await queue.getJob(jobId))?.stacktrace?.at(-1) ?? ''
    if (open.has(jobId)) {
      fail()
        .catch(() => '')
        .then((stack) => open.get(jobId)?.reject(new TaskFailed(jobId, nameInStack(stack), failedReason, stack)))
    }
  })
  await events.waitUntilReady()

  async function sendMany<S extends z.ZodType, R>(task: Task<S, R>, argsList: readonly z.input<S>[]) {
    const jobs = argsList.map((args) => {
      const parsed = task.args.safeParse(args)
      if (!parsed.success) throw new InvalidArguments(`${task.name}: ${describeIssues(parsed.error)}`)
      const retries = task.retries?.max ?? 0
      return {
        name: task.name,
        data: { args, version: task.version },
        opts: { jobId: randomUUID(), attempts: retries + 1, backoff: { type: 'task' } },
      }
    })
    // Before they are there: one may end before the sending does.
    const results = jobs.map(({ opts: { jobId } }) => {
      const end = Promise.withResolvers<unknown>()
      end.promise.catch(() => {}).finally(() => open.delete(jobId))
      open.set(jobId, end)
      return resultOf<R>(jobId, task.name, end.promise)
    })
    await queue.addBulk(jobs)
    return results
  }

  return {
    sendMany,
    async send(task, args) {
      const [result] = await sendMany(task, [args])
      if (!result) throw new Error('nothing was sent')
      return result
    },
    query: async (text, params) => (await queryIn(queue, text, params)).rows as Record<string, unknown>[],
    async [Symbol.asyncDispose]() {
      await events.close()
      await queue.close()
    },
  }
}

const queryIn = async (queue: InstanceType<typeof Queue>, text: string, params: unknown[] = []) =>
  await queue.getBackend().connection.pool.query(text, params)

function resultOf<R>(id: string, task: string, end: Promise<unknown>): PostgresResult<R> {
  return {
    id,
    get: (options = {}) =>
      waitFor(
        () => end as Promise<R>,
        options,
        () => `no result of ${task} (${id}) within ${options.timeoutMs} ms`,
      ),
  }
}

export interface PostgresWorkerSettings {
  tasks: readonly Task[]
  name: string
  queue?: string
  concurrency?: number
  lockMs?: number
}

/** Starts a worker of one queue; disposing of it lets it finish what it runs. */
export async function startPostgresWorker(
  connection: PostgresConnection,
  { tasks, name, queue = defaultQueue, concurrency = 16, lockMs = 30_000 }: PostgresWorkerSettings,
): Promise<AsyncDisposable> {
  const known = new Map(tasks.map((task) => [task.name, task]))
  const owner = {
    name,
    get data(): Redis {
      throw new Error('there is no Redis here')
    },
  }
  const worker = new Worker<Message>(
    queue,
    async (job) => {
      const message = messageSchema.safeParse(job.data)
      if (!message.success) throw new InvalidArguments(`${job.name}: not a message: ${describeIssues(message.error)}`)
      const task = known.get(job.name)
      if (!task || message.data.version > task.version) {
        throw new UnknownTask(`no task of this worker is called "${job.name}" in version ${message.data.version}`)
      }
      return await new Run(job, task, owner).start(message.data.args)
    },
    {
      connection,
      name,
      concurrency,
      ...waiting.worker,
      lockDuration: lockMs,
      stalledInterval: lockMs,
      maxStalledCount: 5,
      removeOnComplete: { age: keptSeconds.succeeded },
      removeOnFail: { age: keptSeconds.failed },
      settings: {
        backoffStrategy: (attempt = 1, _type, error, job) =>
          retryDelayMs(attempt, error ?? new Error(), known.get(job?.name ?? '')?.retries),
      },
    },
  )
  // A connection that was lost is made again.
  worker.on('error', () => {})
  await worker.waitUntilReady()
  return { [Symbol.asyncDispose]: () => worker.close() }
}
