/**
 * The sender's side: turns typed calls into BullMQ jobs.
 *
 *     await using client = await openClient({ url: process.env.REDIS_URL })
 *     const sum = await client.send(add, { a: 1, b: 2 }, { countdownMs: 500 })
 *     await sum.get({ timeoutMs: 5_000 })                       // 3, or throws what the task threw
 *     const sums = await client.sendMany(add, [{ a: 1, b: 2 }, { a: 3, b: 4 }])
 *     await gather(sums, { timeoutMs: 5_000 })                  // [3, 7]
 *
 * The tasks of one `sendMany` or `sendAll` travel in few round trips. The client makes the ids, so when the connection
 * is lost and the jobs are added again, no task is duplicated.
 */
import { randomBytes } from 'node:crypto'
import { messageOf } from '@repo/common/output/errors'
import { type JobsOptions, Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { z } from 'zod'
import { asSubscriber, connect, explainRedisError, isAborted, tlsOf } from './connect.ts'
import { InvalidArguments } from './errors.ts'
import { forgetRevocations } from './forget-revocations.ts'
import { jsonOf } from './json.ts'
import { type Answer, keyedTaskId, type Message, partsOf, readReplies, taskId } from './message.ts'
import { giveBack } from './moments.ts'
import { checkOptions, checkSettings, describeIssues, parseArguments } from './options.ts'
import { acceptedBytes, checkSize } from './payload.ts'
import { Results, TaskResult } from './results.ts'
import { normalPriority, type Routes, routed } from './routing.ts'
import { defaultPrefix, defaultQueue, type Settings } from './settings.ts'
import type { SendOptions, Signature, Task } from './task.ts'

export interface ClientSettings extends Settings {
  /** Queues by task, for calls that name none; the first match wins: `{ 'mail.*': 'mail' }`. */
  routes?: Routes
  /** The largest arguments and the largest result that one task may have, in bytes of JSON. Default: 1,000,000. */
  maxPayloadBytes?: number
}

/** A BullMQ job before it is added, as `addBulk` and `FlowProducer.add` take it. */
export interface JobToAdd {
  queueName: string
  name: string
  data: Message
  opts: JobsOptions
}

/** Jobs in one pipeline. With more, Redis and the two ends would wait for one another. */
const jobsAtATime = 250
/** The stacks of a task's last tries that Redis keeps. */
const keptStacks = 5

/**
 * Connects a client. It fails fast: while Redis is unreachable, a call is rejected after three attempts to reach it.
 *
 * @throws a one-line Error when Redis cannot be reached or refuses the password, or a RangeError for its settings
 */
export async function openClient(settings: ClientSettings): Promise<Client> {
  checkSettings(settings)
  return new Client(await connect(settings.url, { maxRetriesPerRequest: 3, ...tlsOf(settings) }), settings)
}

export class Client implements AsyncDisposable {
  /** Part of the id of every task that this client sends. */
  readonly id = randomBytes(8).toString('hex')
  readonly prefix: string
  readonly redis: Redis
  readonly results: Results
  readonly settings: ClientSettings
  readonly #subscriber: Redis
  readonly #queues = new Map<string, Queue<Message>>()
  readonly #answers = new Set<(answer: Answer) => void>()
  #sent = 0
  /** Why the connection was last lost. */
  #reason: Error | undefined

  /** @param redis closed together with the client */
  constructor(redis: Redis, settings: ClientSettings) {
    this.redis = redis
    this.settings = settings
    this.prefix = settings.prefix ?? defaultPrefix
    this.#subscriber = asSubscriber(redis.duplicate({ lazyConnect: true, maxRetriesPerRequest: null }))
    // Failing commands report it.
    for (const connection of [redis, this.#subscriber]) {
      connection.on('error', (error: Error) => {
        this.#reason = error
      })
    }
    this.results = new Results(redis, this.#subscriber, this.prefix, (error) => this.explained(error))
    this.#subscriber.on('message', (_channel: string, text: string) => {
      const received = readReplies(text)
      if (Array.isArray(received)) this.results.receive(received)
      else if (received) for (const listener of this.#answers) listener(received)
    })
  }

  /**
   * Sends one task.
   *
   * @throws InvalidArguments, PayloadTooLarge, or a RangeError for options that cannot be met: nothing was sent
   * @throws a one-line Error when Redis is unreachable or full: either nothing was sent, or the task will run once
   */
  async send<S extends z.ZodType, R>(
    task: Task<S, R>,
    args: z.input<S>,
    options?: SendOptions,
  ): Promise<TaskResult<R>> {
    const [result] = await this.sendAll<R>([{ task, args, ...(options && { options }) }])
    return result as TaskResult<R>
  }

  /** Sends the same task once for each of the arguments. */
  async sendMany<S extends z.ZodType, R>(
    task: Task<S, R>,
    argsList: readonly z.input<S>[],
    options?: SendOptions,
  ): Promise<TaskResult<R>[]> {
    return await this.sendAll<R>(argsList.map((args) => ({ task, args, ...(options && { options }) })))
  }

  /** Sends different tasks; if one of them cannot be sent, none is. For tasks that follow others, use `apply`. */
  async sendAll<R = unknown>(signatures: readonly Signature<R>[]): Promise<TaskResult<R>[]> {
    const byQueue = new Map<string, JobToAdd[]>()
    const expected: TaskResult[] = []
    const all = signatures.map((signature) => {
      const job = this.toJobAlone(signature)
      const result = this.resultOf<R>(job)
      // A task with a key may have ended long ago: a waiter checks for itself.
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

  /** Listens for the ends of these results' tasks, then calls `send`, which sends them. */
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

  /** Adds jobs to a queue and does not wait for their results. Jobs that are already there are not added again. */
  async add(queueName: string, jobs: readonly JobToAdd[]): Promise<void> {
    const queue = this.queue(queueName)
    try {
      for (let at = 0; at < jobs.length; at += jobsAtATime) {
        const some = jobs.slice(at, at + jobsAtATime)
        // A connection that dies within a pipeline leaves part of it undone, so all of it is added again. That is safe
        // for jobs that are still there: only a job that has ended and was not kept would run twice.
        await queue.addBulk(some).catch(async (error: Error) => {
          if (!isAborted(error) || some.some(({ opts }) => opts.removeOnComplete)) throw error
          await queue.addBulk(some)
        })
      }
    } catch (error) {
      throw this.explained(error)
    }
  }

  /** The job of a signature that is not part of a canvas. */
  toJobAlone(signature: Signature): JobToAdd {
    const { task, into, links, errorLinks } = signature
    if (into !== undefined || links || errorLinks) {
      throw new RangeError(`${task.name}: a step, or a task with links, is part of a canvas: send it with apply`)
    }
    return this.toJob(signature)
  }

  /** Checks a signature and turns it into a BullMQ job. */
  toJob({ task, args: given, options = {}, map, into }: Signature): JobToAdd {
    checkOptions(task, options)
    const [args, bytes] = asSent(task.name, given)
    for (const each of map && Array.isArray(args) ? args : [args]) {
      const { issues = [] } = parseArguments(task, each).error ?? {}
      // The worker checks the argument that is still missing.
      const wrong = issues.filter(({ path }) => into === undefined || path[0] !== into)
      if (wrong.length > 0) throw new InvalidArguments(`${task.name}: ${describeIssues({ issues: wrong })}`)
    }
    const name = task.name
    const queueName = options.queue ?? routed(name, this.settings.routes) ?? task.queue ?? defaultQueue
    const now = Date.now()

    const data: Message = { args, version: task.version }
    const { softLimitMs, hardLimitMs, expiresInMs = task.expiresInMs } = options
    if (expiresInMs !== undefined) data.expiresAt = now + expiresInMs
    if (softLimitMs !== undefined) data.softLimitMs = softLimitMs
    if (hardLimitMs !== undefined) data.hardLimitMs = hardLimitMs
    if (map) data.canvas = { map }

    const key = options.idempotencyKey
    const jobId = key === undefined ? taskId(queueName, this.id, ++this.#sent) : keyedTaskId(queueName, name, key)
    const opts: JobsOptions = { jobId }
    const delay = options.eta ? options.eta.getTime() - now : options.countdownMs
    if (delay !== undefined && delay > 0) opts.delay = delay
    const retries = options.maxRetries ?? task.retries?.max ?? 0
    if (retries > 0) {
      opts.attempts = retries + 1
      // The worker decides the waits, by the definition's policy: see retry.ts.
      opts.backoff = { type: 'task' }
      opts.stackTraceLimit = keptStacks
    }
    if (options.ignoreResult ?? task.ignoreResult) {
      // Redis remembers the key only through the job that it keeps.
      if (key !== undefined) {
        throw new RangeError(`${name}: an idempotency key holds as long as the result is kept: it cannot be ignored`)
      }
      opts.removeOnComplete = true
    }
    const priority = options.priority ?? task.priority
    if (this.settings.queueSettings?.[queueName]?.priorities) opts.priority = priority ?? normalPriority
    else if (priority !== undefined) {
      throw new RangeError(
        `${name}: the queue "${queueName}" keeps no priorities; declare it with { priorities: true }`,
      )
    }
    checkSize(`${name}: received arguments`, bytes, acceptedBytes(task, this.settings))
    return { queueName, name, data, opts }
  }

  /** The result of a job that was added, or is about to be. */
  resultOf<R = unknown>({ queueName, name, opts }: JobToAdd): TaskResult<R> {
    const ignored = opts.removeOnComplete === true
    return new TaskResult<R>(this, { id: opts.jobId ?? '', queue: queueName, task: name, ignored })
  }

  /** The result of any client's task, by its id. `queue` is for ids that do not name it, such as those of schedules. */
  result<R = unknown>(id: string, { queue = partsOf(id)?.queue, task = 'task' } = {}): TaskResult<R> {
    if (queue === undefined) throw new RangeError(`"${id}" does not say its queue; give { queue }`)
    return new TaskResult<R>(this, { id, queue, task, ignored: false })
  }

  /** BullMQ's own queue of that name, closed together with the client. */
  queue(name: string): Queue<Message> {
    let queue = this.#queues.get(name)
    if (!queue) {
      queue = new Queue<Message>(name, { connection: this.redis, prefix: this.prefix })
      // A failing command reports it to its caller.
      queue.on('error', () => {})
      this.#queues.set(name, queue)
    }
    return queue
  }

  /**
   * Removes all waiting and scheduled tasks of a queue; running ones continue, and so do schedules, whose next task
   * stays. Returns how many were removed.
   */
  async purge(queueName: string): Promise<number> {
    return await this.explaining(async () => {
      const queue = this.queue(queueName)
      const waiting = () => queue.getRanges(['waiting', 'prioritized', 'delayed'], 0, -1)
      const before = await waiting()
      await queue.drain(true)
      const left = new Set(await waiting())
      const removed = before.filter((id) => !left.has(id))
      await giveBack(this.redis, this.prefix, removed)
      await forgetRevocations(this.redis, this.prefix, removed)
      return removed.length
    })
  }

  /** Listens for answers to this client's questions, after `results.listenTo(client.id)`; returns a way to stop. */
  onAnswer(listener: (answer: Answer) => void): () => void {
    this.#answers.add(listener)
    return () => this.#answers.delete(listener)
  }

  /** The error of a Redis command in one line that names the server. */
  explained(error: unknown): unknown {
    return explainRedisError(error, this.settings.url, this.#reason)
  }

  /** Does something with Redis; its errors are those of `explained`. */
  async explaining<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw this.explained(error)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.results.close()
    await Promise.all([...this.#queues.values()].map((queue) => queue.close().catch(() => {})))
    for (const connection of [this.#subscriber, this.redis]) if (connection.status !== 'end') connection.disconnect()
  }
}

/** Arguments in the form in which they arrive, and the bytes of their JSON. */
function asSent(name: string, args: unknown): [args: unknown, bytes: number] {
  let converted = false
  try {
    const text = jsonOf(args, () => {
      converted = true
    })
    // For the schema: a Date arrives as text.
    return [converted ? JSON.parse(text) : args, Buffer.byteLength(text)]
  } catch (error) {
    throw new InvalidArguments(`${name}: ${messageOf(error)}`)
  }
}
