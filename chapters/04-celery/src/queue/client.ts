/**
 * The sender's side: turns typed calls into BullMQ jobs.
 *
 *     await using client = await openClient({ url: process.env.REDIS_URL })
 *     const sum = await client.send(add, { a: 1, b: 2 }, { countdownMs: 500 })
 *     await sum.get({ timeoutMs: 5_000 })                       // 3, or throws what the task threw
 *     const sums = await client.sendMany(add, [{ a: 1, b: 2 }, { a: 3, b: 4 }])
 *     await gather(sums, { timeoutMs: 5_000 })                  // [3, 7]
 *
 * Many tasks in one `sendMany` or `sendAll` travel in few round trips. A task's id is made here, so a sending that has to be
 * repeated because the connection was lost does not send twice.
 */
import { randomBytes } from 'node:crypto'
import { type JobsOptions, Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { z } from 'zod'
import { connect, endSubscriber, tlsOf } from './connect.ts'
import { InvalidArguments, nameInStack, PayloadTooLarge, TaskExpired, TaskRevoked } from './errors.ts'
import { type Answer, keyedTaskId, type Message, partsOf, revokedKey, taskId, toldBy } from './message.ts'
import { explainRedisError, isAborted } from './redis-errors.ts'
import { Results, TaskResult, type TaskState } from './results.ts'
import { lastPriority, normalPriority, type Routes, routed } from './routing.ts'
import { defaultPrefix, defaultQueue, type Settings } from './settings.ts'
import type { SendOptions, Signature, Task } from './task.ts'

export interface ClientSettings extends Settings {
  /** Which tasks go to which queues, unless the call says: `{ 'mail.*': 'mail' }`; the first that fits counts. */
  routes?: Routes
  /** The size of one task's arguments as JSON that is still sent; 1,000,000. Large data belongs beside the queue. */
  maxPayloadBytes?: number
}

/** A BullMQ job, not yet added: what `addBulk` and `FlowProducer.add` take. */
export interface JobToAdd {
  queueName: string
  name: string
  data: Message
  opts: JobsOptions
}

/** So many jobs travel in one pipeline: more would keep Redis and both ends waiting for one another. */
const jobsAtATime = 250
const defaultMaxPayloadBytes = 1_000_000

/**
 * Connects a client. It fails fast: when Redis is away, a call is rejected after three attempts to reach it.
 *
 * @throws an Error of one line when Redis cannot be reached or refuses the password
 */
export async function openClient(settings: ClientSettings): Promise<Client> {
  return new Client(await connect(settings.url, { maxRetriesPerRequest: 3, ...tlsOf(settings) }), settings)
}

export class Client implements AsyncDisposable {
  /** Part of the ids of all tasks that this client sends. */
  readonly id = randomBytes(8).toString('hex')
  readonly prefix: string
  readonly redis: Redis
  readonly results: Results
  readonly settings: ClientSettings
  readonly #subscriber: Redis
  readonly #queues = new Map<string, Queue<Message>>()
  readonly #answers = new Set<(answer: Answer) => void>()
  #sent = 0
  /** Why the connection was lost, the last time that it was. */
  #reason: Error | undefined

  /** @param redis is closed with the client */
  constructor(redis: Redis, settings: ClientSettings) {
    this.redis = redis
    this.settings = settings
    this.prefix = settings.prefix ?? defaultPrefix
    this.#subscriber = redis.duplicate({ lazyConnect: true, maxRetriesPerRequest: null })
    // Said by the commands that fail.
    for (const connection of [redis, this.#subscriber]) {
      connection.on('error', (error: Error) => {
        this.#reason = error
      })
    }
    this.results = new Results(redis, this.#subscriber, this.prefix, (error) => this.explained(error))
    this.#subscriber.on('message', (_channel: string, text: string) => {
      const told = toldBy(text)
      if (Array.isArray(told)) this.results.hear(told)
      else if (told) for (const listener of this.#answers) listener(told)
    })
  }

  /**
   * Sends one task.
   *
   * @throws InvalidArguments, PayloadTooLarge or a RangeError for options that cannot be met: nothing was sent
   * @throws an Error of one line when Redis is away or full: nothing was sent, or it was and will run once
   */
  async send<S extends z.ZodType, R>(
    task: Task<S, R>,
    args: z.input<S>,
    options?: SendOptions,
  ): Promise<TaskResult<R>> {
    const [result] = await this.sendAll<R>([{ task, args, ...(options && { options }) }])
    return result as TaskResult<R>
  }

  /** Sends the same task many times, with each of the arguments. */
  async sendMany<S extends z.ZodType, R>(
    task: Task<S, R>,
    argsList: readonly z.input<S>[],
    options?: SendOptions,
  ): Promise<TaskResult<R>[]> {
    return await this.sendAll<R>(argsList.map((args) => ({ task, args, ...(options && { options }) })))
  }

  /** Sends many different tasks; nothing is sent when one of them cannot be. What follows others is sent by `apply`. */
  async sendAll<R = unknown>(signatures: readonly Signature<R>[]): Promise<TaskResult<R>[]> {
    const byQueue = new Map<string, JobToAdd[]>()
    const expected: TaskResult[] = []
    const all = signatures.map((signature) => {
      const job = this.toJobAlone(signature)
      const result = this.resultOf<R>(job)
      // One with a key may have ended long ago: whoever waits for it looks.
      if (!result.ignored && signature.options?.idempotencyKey === undefined) expected.push(result)
      const jobs = byQueue.get(job.queueName)
      if (jobs) jobs.push(job)
      else byQueue.set(job.queueName, [job])
      return result
    })
    await this.expecting(expected, async () => {
      for (const [queue, jobs] of byQueue) await this.add(queue, jobs)
    })
    return all
  }

  /** Calls `send`, which sends the tasks with these results, and hears of their ends from the first moment. */
  async expecting(results: readonly TaskResult[], send: () => Promise<void>): Promise<void> {
    try {
      if (results.length > 0) await this.results.listenTo(this.id)
      for (const result of results) this.results.expect(result)
      await send()
    } catch (error) {
      for (const result of results) this.results.forget(result)
      throw this.explained(error)
    }
  }

  /** Adds jobs to a queue without waiting for what becomes of them; jobs that are there already are not added again. */
  async add(queueName: string, jobs: readonly JobToAdd[]): Promise<void> {
    const queue = this.queue(queueName)
    try {
      for (let at = 0; at < jobs.length; at += jobsAtATime) {
        const some = jobs.slice(at, at + jobsAtATime)
        // A connection that dies within a pipeline leaves some of it undone. What was added is not added again, unless
        // it is done by now and nothing of it is kept.
        await queue.addBulk(some).catch(async (error: Error) => {
          if (!isAborted(error) || some.some(({ opts }) => opts.removeOnComplete)) throw error
          await queue.addBulk(some)
        })
      }
    } catch (error) {
      throw this.explained(error)
    }
  }

  /** The job of a signature that is sent by itself. */
  toJobAlone(signature: Signature): JobToAdd {
    const { task, into, links, errorLinks } = signature
    if (into !== undefined || links || errorLinks) {
      throw new RangeError(`${task.name}: a step, or a task with links, is part of a canvas: send it with apply`)
    }
    return this.toJob(signature)
  }

  /** A signature as the BullMQ job that it becomes, with everything checked. */
  toJob({ task, args, options = {}, map, into }: Signature): JobToAdd {
    for (const each of map && Array.isArray(args) ? args : [args]) {
      const { issues = [] } = task.args.safeParse(each).error ?? {}
      // What is still to come is checked by the worker.
      const wrong = issues.filter(({ path }) => into === undefined || path[0] !== into)
      if (wrong.length > 0) throw new InvalidArguments(`${task.name}: ${describeIssues({ issues: wrong })}`)
    }
    const name = task.name
    const queueName = options.queue ?? routed(name, this.settings.routes) ?? task.queue ?? defaultQueue
    const now = Date.now()

    const data: Message = { args, version: task.version }
    const expiresInMs = options.expiresInMs ?? task.expiresInMs
    if (expiresInMs !== undefined) data.expiresAt = now + expiresInMs
    if (options.softLimitMs !== undefined) data.softLimitMs = options.softLimitMs
    if (options.hardLimitMs !== undefined) data.hardLimitMs = options.hardLimitMs
    if (options.headers) data.headers = options.headers
    if (map) data.canvas = { map }

    const opts: JobsOptions = { jobId: this.#idFor(queueName, name, options.idempotencyKey) }
    const delay = options.eta ? options.eta.getTime() - now : options.countdownMs
    if (delay !== undefined && delay > 0) opts.delay = delay
    const retries = options.maxRetries ?? task.retries?.max ?? 0
    if (retries > 0) {
      opts.attempts = retries + 1
      // The policy itself is the definition's, in the worker: see retry.ts.
      opts.backoff = { type: 'task' }
    }
    if (options.ignoreResult ?? task.ignoreResult) {
      // The job is what the key is known by.
      if (options.idempotencyKey !== undefined) {
        throw new RangeError(`${name}: an idempotency key holds as long as the result is kept: it cannot be ignored`)
      }
      opts.removeOnComplete = true
    }
    const priority = options.priority ?? task.priority
    if (priority !== undefined && !(priority >= 1 && priority <= lastPriority)) {
      throw new RangeError(`${name}: priority: received ${priority}; accepts 1 to ${lastPriority}, 1 is first`)
    }
    if (this.settings.queueSettings?.[queueName]?.priorities) opts.priority = priority ?? normalPriority
    else if (priority !== undefined) {
      throw new RangeError(
        `${name}: the queue "${queueName}" keeps no priorities; declare it with { priorities: true }`,
      )
    }
    const job = { queueName, name, data, opts }
    checkSize(job, task.maxPayloadBytes ?? this.settings.maxPayloadBytes ?? defaultMaxPayloadBytes)
    return job
  }

  /** The result of a job that is about to be added, or was. */
  resultOf<R = unknown>({ queueName, name, opts }: JobToAdd): TaskResult<R> {
    return this.#result({ id: opts.jobId ?? '', queue: queueName, task: name, ignored: opts.removeOnComplete === true })
  }

  /** The result of a task that anybody sent, by its id; `queue` only for ids that do not name it, as those of schedules. */
  result<R = unknown>(id: string, { queue = partsOf(id)?.queue, task = 'task' } = {}): TaskResult<R> {
    if (queue === undefined) throw new RangeError(`"${id}" does not say its queue; give { queue }`)
    return this.#result({ id, queue, task, ignored: false })
  }

  #result<R>(what: { id: string; queue: string; task: string; ignored: boolean }): TaskResult<R> {
    return new TaskResult<R>(this.results, this, what)
  }

  #idFor(queue: string, task: string, key: string | undefined): string {
    return key === undefined ? taskId(queue, this.id, ++this.#sent) : keyedTaskId(queue, task, key)
  }

  /** BullMQ's queue of that name, for all that it can do itself. Closed with the client. */
  queue(name: string): Queue<Message> {
    let queue = this.#queues.get(name)
    if (!queue) {
      queue = new Queue<Message>(name, { connection: this.redis, prefix: this.prefix })
      // A command that fails says so to its caller.
      queue.on('error', () => {})
      this.#queues.set(name, queue)
    }
    return queue
  }

  /** Where a task is; `TaskResult.state` for those who have no result. */
  async state(id: string, queueName: string): Promise<TaskState> {
    try {
      const queue = this.queue(queueName)
      const [state, job, revoked] = await Promise.all([
        queue.getJobState(id),
        queue.getJob(id),
        this.redis.zscore(revokedKey(this.prefix), id),
      ])
      if (state === 'completed') return 'succeeded'
      if (state === 'failed') {
        const name = nameInStack(job?.stacktrace?.at(-1) ?? '')
        return name === TaskRevoked.name ? 'revoked' : name === TaskExpired.name ? 'expired' : 'failed'
      }
      if (state === 'unknown' || !job) return 'unknown'
      if (state === 'active') return 'running'
      if (revoked !== null) return 'revoked'
      if (state === 'delayed') return job.attemptsMade > 0 ? 'retrying' : 'scheduled'
      return 'waiting'
    } catch (error) {
      throw this.explained(error)
    }
  }

  /** What a task last told by `context.progress`; 0 when nothing. */
  async progress(id: string, queue: string): Promise<unknown> {
    return (await this.queue(queue).getJob(id))?.progress ?? 0
  }

  /** Removes what is kept of a finished task; one that is waiting is removed too, and will not run. */
  async forget(id: string, queue: string): Promise<void> {
    await this.queue(queue).remove(id)
  }

  /** Removes all tasks that wait in a queue, also those for later; running ones go on. Returns how many there were. */
  async purge(queueName: string): Promise<number> {
    const queue = this.queue(queueName)
    const waiting = await queue.getJobCountByTypes('waiting', 'prioritized', 'delayed')
    await queue.drain(true)
    return waiting
  }

  /** Hears what workers answer to this client's questions, after `results.listenTo(client.id)`; returns the way to stop. */
  onAnswer(listener: (answer: Answer) => void): () => void {
    this.#answers.add(listener)
    return () => this.#answers.delete(listener)
  }

  /** What went wrong with Redis, in one line that names the server. */
  explained(error: unknown): unknown {
    return explainRedisError(error, this.settings.url, this.#reason)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.results.close()
    await Promise.all([...this.#queues.values()].map((queue) => queue.close().catch(() => {})))
    await endSubscriber(this.#subscriber)
    if (this.redis.status !== 'end') this.redis.disconnect()
  }
}

function checkSize({ name, data }: JobToAdd, accepted: number) {
  const bytes = Buffer.byteLength(JSON.stringify(data.args) ?? '')
  if (bytes <= accepted) return
  const instead = 'put large data beside the queue and send where it is'
  throw new PayloadTooLarge(`${name}: received arguments of ${bytes} bytes; accepts ${accepted}: ${instead}`)
}

/** What does not fit, in one line: `a: expected number, received string`. */
export function describeIssues({ issues }: Pick<z.ZodError, 'issues'>): string {
  return issues.map(({ path, message }) => `${path.length > 0 ? `${path.join('.')}: ` : ''}${message}`).join('; ')
}
