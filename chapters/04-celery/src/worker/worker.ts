/**
 * The worker's side: runs the tasks of some queues.
 *
 *     await using worker = await startWorker({ url, tasks: [add], queues: ['default'], concurrency: 16 })
 *     await worker.closed
 *
 * A task is acknowledged after its work: until then its job is held by a lock that the worker renews, and when the worker
 * dies the job is given to another one. So a task may run more than once, and what it does to the world must bear that:
 * see idempotency.ts.
 *
 * What surrounds a task, from the outside in: is it known here, was it revoked, has it expired, does its rate allow it;
 * the middleware; do the arguments fit; the time limits; the task.
 */
import { hostname } from 'node:os'
import { DelayedError, type Job, UnrecoverableError, WaitingError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { canvasMiddleware } from '../canvas/worker.ts'
import { Client, type ClientSettings, describeIssues } from '../queue/client.ts'
import { connect, endSubscriber, tlsOf } from '../queue/connect.ts'
import { answerTo, type Command, questionFor, type RunningTask, type WorkerStats } from '../queue/control.ts'
import { InvalidArguments, TaskExpired, TaskRevoked, UnknownTask } from '../queue/errors.ts'
import { controlChannel, type Message, messageSchema } from '../queue/message.ts'
import { retryDelayMs } from '../queue/retry.ts'
import { defaultPrefix, defaultQueue, keptSeconds } from '../queue/settings.ts'
import type { Task, TaskContext } from '../queue/task.ts'
import { batchWrites } from './batch-writes.ts'
import { closeConnected, restAfter, watchConnection } from './connection.ts'
import { admit } from './rate-limit.ts'
import { Replies } from './replies.ts'
import { Revocations } from './revocations.ts'
import { Run } from './run.ts'

/** How a worker works. */
export interface WorkerSettings extends ClientSettings {
  tasks: readonly Task[]
  /** Which queues it takes tasks from; only `default` when not given. */
  queues?: string[]
  /** How many tasks of each queue it runs at a time; 16. */
  concurrency?: number
  /** For remote control and logs; host name and process id when not given. */
  name?: string
  middleware?: readonly Middleware[]
  /** How long a worker that gives no sign of life keeps its tasks, and how often the others look for such; 30 s. */
  lockMs?: number
  /**
   * How often a task may lose its worker before it fails, so that a task which kills workers does not kill them all; 5. BullMQ
   * does not count this for what a schedule sends.
   */
  maxRedeliveries?: number
  /** A task that this worker does not know, or knows in an older version, is left to others, so often and for so long. */
  leaveToOthers?: { times: number; forMs: number }
  log?: Log
}

/** The part of a pino logger that is used. */
export type Log = Record<'debug' | 'info' | 'warn' | 'error', (about: object, message: string) => void>

/** One run of one task, as middleware sees it. */
export interface Call {
  job: Job<Message>
  task: Task
  /** The raw arguments, before they are checked; middleware may replace them. */
  args: unknown
  context: TaskContext
  /** Whether this is the last try that the task's retries allow. */
  isLastTry: boolean
  /** Whether the task will not be tried again after this error. */
  isFinal: (error: Error) => boolean
  /** To send further tasks with. Those with ids made from this task's are there once, however often it runs. */
  client: Client
}

/**
 * Surrounds every task of a worker: does something, calls `next`, does something. What it throws, the task has thrown; what
 * it returns is the result. The job is acknowledged after all middleware is through.
 */
export type Middleware = (call: Call, next: () => Promise<unknown>) => Promise<unknown>

/** How often a worker forgets which revocations have been fulfilled by others. */
const refreshMs = 600_000

const defaults = { concurrency: 16, lockMs: 30_000, maxRedeliveries: 5, leaveToOthers: { times: 10, forMs: 200 } }

/**
 * Starts a worker and returns once it takes tasks.
 *
 * @throws an Error of one line when Redis cannot be reached now, or a RangeError for tasks that cannot be run
 */
export async function startWorker(settings: WorkerSettings): Promise<TaskWorker> {
  const tasks = new Map<string, Task>()
  for (const task of settings.tasks) {
    if (!task.run) throw new RangeError(`task "${task.name}" has no run: a worker cannot run it`)
    if (tasks.has(task.name)) throw new RangeError(`two tasks are called "${task.name}"`)
    tasks.set(task.name, task)
  }
  const worker = new TaskWorker(await connect(settings.url, tlsOf(settings)), settings, tasks)
  try {
    await worker.start()
    return worker
  } catch (error) {
    await worker.close({ graceMs: 0 })
    throw error
  }
}

/** Why a run is stopped when its worker must end: the task is given to another one. */
class GivenBack extends Error {}

export class TaskWorker implements AsyncDisposable {
  readonly name: string
  readonly queues: readonly string[]
  /** Fulfilled when the worker has ended, be it asked by `close` or by remote control. */
  readonly closed: Promise<void>
  readonly #settings: WorkerSettings
  readonly #tasks: ReadonlyMap<string, Task>
  readonly #redis: Redis
  readonly #subscriber: Redis
  /** For the tasks' own data; made when the first one asks for it. */
  #data: Redis | undefined
  readonly #client: Client
  readonly #prefix: string
  readonly log: Log | undefined
  readonly #replies: Replies
  readonly #revoked: Revocations
  /** By itself, and not by the task's id: a task that has lost its lock may run here twice. */
  readonly #running = new Set<Run>()
  readonly #workers: Worker<Message>[] = []
  readonly #leave: { times: number; forMs: number }
  #refresh: NodeJS.Timeout | undefined
  readonly #ended = Promise.withResolvers<void>()
  readonly #startedAt = Date.now()
  readonly #counts = { succeeded: 0, failed: 0, retried: 0 }
  #concurrency: number
  #closing: Promise<void> | undefined
  /** What is begun from now on is given back at once. */
  #givesBack = false

  /** For `startWorker`. */
  constructor(redis: Redis, settings: WorkerSettings, tasks: ReadonlyMap<string, Task>) {
    this.name = settings.name ?? `${hostname()}-${process.pid}`
    this.queues = settings.queues ?? [defaultQueue]
    this.closed = this.#ended.promise
    this.#settings = settings
    this.#tasks = tasks
    this.#redis = redis
    batchWrites(redis)
    this.#subscriber = redis.duplicate({ lazyConnect: true })
    this.#client = new Client(redis, settings)
    this.#prefix = settings.prefix ?? defaultPrefix
    this.log = settings.log
    this.#replies = new Replies(redis, this.#prefix)
    this.#revoked = new Revocations(redis, this.#prefix)
    this.#leave = settings.leaveToOthers ?? defaults.leaveToOthers
    this.#concurrency = settings.concurrency ?? defaults.concurrency
  }

  async start(): Promise<void> {
    watchConnection(this.#redis, this)
    this.#subscriber.on('error', () => {})
    this.#subscriber.on('message', (_channel: string, text: string) => void this.#hear(text))
    await this.#subscriber.subscribe(controlChannel(this.#prefix))
    // After the subscription, so that nothing falls between the two; and again whenever the connection was away.
    await this.#revoked.load()
    this.#subscriber.on('ready', () => void this.#revoked.load().catch(() => {}))
    this.#refresh = setInterval(() => void this.#revoked.load().catch(() => {}), refreshMs).unref()
    const { lockMs = defaults.lockMs, maxRedeliveries = defaults.maxRedeliveries, queueSettings } = this.#settings
    for (const name of this.queues) {
      const rateLimit = queueSettings?.[name]?.rateLimit
      const worker = new Worker<Message>(name, (job, token) => this.#process(job, token), {
        connection: this.#redis,
        prefix: this.#prefix,
        name: this.name,
        concurrency: this.#concurrency,
        lockDuration: lockMs,
        stalledInterval: lockMs,
        maxStalledCount: maxRedeliveries,
        removeOnComplete: { age: keptSeconds.succeeded },
        removeOnFail: { age: keptSeconds.failed },
        settings: {
          backoffStrategy: (attempt = 1, _type, error, job) =>
            retryDelayMs(attempt, error ?? new Error(), this.#tasks.get(job?.name ?? '')?.retries),
        },
        ...(rateLimit && { limiter: { max: rateLimit.max, duration: rateLimit.perMs } }),
      })
      worker.on('error', (error) => restAfter(error, worker, this))
      worker.on('stalled', (id) => this.log?.warn({ id, queue: name }, 'a task has lost its worker and is run again'))
      worker.on('completed', (job, result) => this.#succeeded(job, result))
      worker.on('failed', (job, error) => this.#failed(job, error))
      this.#workers.push(worker)
    }
    await Promise.all(this.#workers.map((worker) => worker.waitUntilReady()))
  }

  /** What happens to a job, from the outside in. */
  async #process(job: Job<Message>, token: string | undefined): Promise<unknown> {
    const { id = '', data: message } = job
    const fits = messageSchema.safeParse(message)
    if (!fits.success) throw new InvalidArguments(`${job.name}: not a message: ${describeIssues(fits.error)}`)
    const task = this.#tasks.get(job.name)
    if (!task || message.version > task.version) return await this.#leaveToOthers(job, token, task)
    await this.#refuseRevoked(id, task)
    const { notBefore = 0 } = message
    if (notBefore > Date.now()) return await postpone(job, token, notBefore - Date.now())
    const expiresAt = message.expiresAt ?? (message.expiresInMs && dueAt(job) + message.expiresInMs)
    if (expiresAt && Date.now() > expiresAt) {
      throw new TaskExpired(`${task.name} expired ${Date.now() - expiresAt} ms before a worker came to it`)
    }
    if (task.rateLimit) {
      const waitMs = await admit(this.#redis, { prefix: this.#prefix, task: task.name, id, limit: task.rateLimit })
      if (waitMs > 0) return await postpone(job, token, waitMs)
      // Said while Redis was asked.
      await this.#refuseRevoked(id, task)
    }
    const run = new Run(job, task, this)
    this.#running.add(run)
    if (this.#givesBack) run.stop(new GivenBack('the worker ends'))
    try {
      const { middleware = [] } = this.#settings
      // Most tasks: nothing stands between them and their arguments.
      if (middleware.length === 0 && !message.canvas) return await run.start(message.args)
      return await this.#surrounded(
        run,
        message.canvas ? [canvasMiddleware(message.canvas, run), ...middleware] : middleware,
      )
    } catch (error) {
      if (!(error instanceof GivenBack)) throw error
      await job.moveToWait(token)
      throw new WaitingError()
    } finally {
      this.#running.delete(run)
    }
  }

  async #refuseRevoked(id: string, task: Task) {
    if (await this.#revoked.includes(id)) throw new TaskRevoked(`${task.name} was revoked before it began`)
  }

  async #surrounded(run: Run, middleware: readonly Middleware[]): Promise<unknown> {
    const { job, definition: task } = run
    const isLastTry = run.attempt >= (job.opts.attempts ?? 1)
    const isFinal = (error: Error) =>
      !(error instanceof GivenBack) &&
      (isLastTry || error instanceof UnrecoverableError || retryDelayMs(run.attempt, error, task.retries) < 0)
    const call: Call = { job, task, args: run.args, context: run, isLastTry, isFinal, client: this.#client }
    const layer = (at: number): Promise<unknown> => {
      const surround = middleware[at]
      return surround ? surround(call, () => layer(at + 1)) : run.start(call.args)
    }
    return await layer(0)
  }

  /** For the tasks' own data: large values on the queue's connection would hold up the locks. */
  get data(): Redis {
    if (!this.#data) {
      this.#data = this.#redis.duplicate()
      // A command that fails says so to its task.
      this.#data.on('error', () => {})
    }
    return this.#data
  }

  /**
   * During an update some workers know what others do not yet. So the task is put aside for a moment, for others to take; when
   * nobody does, it fails and lies among the dead letters, from where it can be sent again.
   */
  async #leaveToOthers(job: Job<Message>, token: string | undefined, task: Task | undefined): Promise<never> {
    const problem = task
      ? `this worker has version ${task.version} of "${job.name}", the message is for version ${job.data.version}`
      : `no task of this worker is called "${job.name}"; it has ${[...this.#tasks.keys()].join(', ')}`
    if (job.attemptsStarted > this.#leave.times) {
      throw new UnknownTask(`${problem}; update the workers of the queue "${job.queueName}" and replay it`)
    }
    this.log?.warn({ id: job.id }, `${problem}; left to others`)
    return await postpone(job, token, this.#leave.forMs)
  }

  #succeeded(job: Job<Message>, result: unknown) {
    this.#counts.succeeded++
    this.log?.debug({ id: job.id, task: job.name }, 'succeeded')
    this.#replies.succeeded(job, result)
  }

  #failed(job: Job<Message> | undefined, error: Error) {
    if (!job) return
    const { id = '', name: task } = job
    if (job.finishedOn === undefined) {
      this.#counts.retried++
      this.log?.warn({ id, task, error: error.message, inMs: job.delay }, 'failed, will be tried again')
      return
    }
    this.#counts.failed++
    this.log?.warn({ id, task, error: `${error.name}: ${error.message}` }, 'failed')
    this.#replies.failed(job, error)
    if (error instanceof TaskRevoked) this.#revoked.fulfilled(id).catch(() => {})
  }

  async #hear(text: string) {
    const question = questionFor(this.name, text)
    if (!question) return
    const answer = this.#obey(question.ask)
    await this.#redis.publish(...answerTo(this.#prefix, question, this.name, answer)).catch(() => {})
    if (question.ask.command === 'shutdown') await this.close()
  }

  #obey(command: Command): unknown {
    switch (command.command) {
      case 'ping':
        return 'pong'
      case 'stats':
        return this.stats()
      case 'active':
        return this.active()
      case 'registered':
        return [...this.#tasks.values()].map(({ name, version }) => ({ name, version }))
      case 'concurrency':
        this.concurrency = command.value
        return command.value
      case 'revoke':
        this.#revoked.add(command.ids)
        return this.#stopRevoked(new Set(command.ids), command.terminate)
      case 'unrevoke':
        this.#revoked.remove(command.ids)
        return null
      case 'shutdown':
        return null
    }
  }

  /** Returns which of them run. */
  #stopRevoked(ids: ReadonlySet<string>, terminate: boolean): string[] {
    const runs = [...this.#running].filter(({ id }) => ids.has(id))
    if (terminate) for (const run of runs) run.stop(new TaskRevoked('the task was revoked while it ran'))
    return runs.map(({ id }) => id)
  }

  stats(): WorkerStats {
    return {
      pid: process.pid,
      host: hostname(),
      queues: [...this.queues],
      concurrency: this.#concurrency,
      running: this.#running.size,
      ...this.#counts,
      startedAt: this.#startedAt,
      rss: process.memoryUsage.rss(),
    }
  }

  /** What runs now. */
  active(): RunningTask[] {
    return [...this.#running].map(({ id, task, queue, args, startedAt }) => ({
      id,
      task,
      queue,
      args,
      startedAt,
    }))
  }

  /** How many tasks of each queue run at a time; more are begun at once, fewer as soon as enough have ended. */
  get concurrency(): number {
    return this.#concurrency
  }

  set concurrency(value: number) {
    const more = value > this.#concurrency
    this.#concurrency = value
    for (const worker of this.#workers) {
      worker.concurrency = value
      // A worker whose places are all taken looks again when a task ends, or when it is woken up like this.
      if (more && this.#running.size > 0) {
        worker
          .pause(true)
          .then(() => worker.resume())
          .catch(() => {})
      }
    }
  }

  /** How many tasks wait in its queues; what waits for its time is not counted. */
  async backlog(): Promise<number> {
    const counts = await Promise.all(
      this.queues.map((name) => this.#client.queue(name).getJobCountByTypes('waiting', 'prioritized')),
    )
    return counts.reduce((sum, count) => sum + count, 0)
  }

  /** Whether it has been told to end. */
  get closing(): boolean {
    return this.#closing !== undefined
  }

  /**
   * Ends in order: takes no more tasks, waits for those that run, and after `graceMs` gives back what still does, to be
   * run from the beginning by another worker. Where Redis is away, it ends when Redis is back: what was done must be said.
   */
  close({ graceMs = Number.POSITIVE_INFINITY }: { graceMs?: number } = {}): Promise<void> {
    if (Number.isFinite(graceMs)) {
      const timer = setTimeout(() => {
        this.#givesBack = true
        for (const run of this.#running) run.stop(new GivenBack('the worker ends'))
      }, graceMs)
      this.closed.finally(() => clearTimeout(timer))
    }
    clearInterval(this.#refresh)
    this.#closing ??= (async () => {
      await Promise.all(this.#workers.map(closeConnected))
      await endSubscriber(this.#subscriber)
      if (this.#data && this.#data.status !== 'end') this.#data.disconnect()
      // The last replies are on their way.
      await new Promise(setImmediate)
      await this.#redis.ping().catch(() => {})
      await this.#client[Symbol.asyncDispose]()
      this.#ended.resolve()
    })()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** When a schedule's job was to be begun: its id ends with that moment. */
const dueAt = ({ id = '', timestamp }: Job) => (id.startsWith('repeat:') ? Number(id.split(':').at(-1)) : timestamp)

/** Puts a job aside until its time; BullMQ must be told by this error that it is neither done nor failed. */
async function postpone(job: Job<Message>, token: string | undefined, waitMs: number): Promise<never> {
  await job.moveToDelayed(Date.now() + waitMs, token)
  throw new DelayedError()
}
