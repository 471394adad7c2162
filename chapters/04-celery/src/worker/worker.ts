/**
 * The worker's side: runs the tasks of some queues.
 *
 *     await using worker = await startWorker({ url, tasks: [add], queues: ['default'], concurrency: 16 })
 *     await worker.closed
 *
 * A task is acknowledged after its work: until then the worker holds its job with a lock that BullMQ renews, and when
 * the worker dies, the lock runs out and another worker gets the job. So a task may run more than once, and its effects
 * must allow for that: see idempotency.ts.
 *
 * A worker is in one of these states:
 *
 *     starting  subscribes to remote control, reads the revocations, and opens one BullMQ worker for each queue
 *     taking    takes tasks while it has free places
 *     resting   Redis has refused a command of one of its queues: takes nothing from that queue for a second
 *     closing   takes no more tasks and waits for the running ones. After its grace time it gives back those that still
 *               run, and any that BullMQ still hands to it; another worker runs them from the beginning
 *     closed    all results are reported and all connections are closed
 *
 * In `#process`, a job passes these gates; the first one that it does not pass decides:
 *
 *     a message?                else it fails
 *     a known task and version? else it is left to other workers, and fails after some time
 *     not revoked?              else it fails
 *     its predecessors done?    else it waits for them, or fails if one of them has failed
 *     has its moment come?      else it is postponed
 *     not expired?              else it fails
 *     within its rate?          else it is postponed
 *     a run                     the middleware, the schema of the arguments, then the function within its time limits:
 *                               it succeeds, fails and is perhaps retried, or is given back
 */
import { hostname } from 'node:os'
import { after } from '@repo/common/async/timer'
import { errorOf } from '@repo/common/output/errors'
import { DelayedError, type Job, UnrecoverableError, WaitingChildrenError, WaitingError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { Client, type ClientSettings } from '../queue/client.ts'
import { asSubscriber, connect, refusalOf, tlsOf } from '../queue/connect.ts'
import { answerTo, type Command, questionFor, type RunningTask, type WorkerStats } from '../queue/control.ts'
import { InvalidArguments, nameInStack, TaskExpired, TaskRevoked, UnknownTask } from '../queue/errors.ts'
import { controlChannel, type Message, messageSchema, partsOf } from '../queue/message.ts'
import { giveBack } from '../queue/moments.ts'
import { checkSettings, checkTask, describeIssues } from '../queue/options.ts'
import { retryDelayMs } from '../queue/retry.ts'
import { defaultPrefix, defaultQueue, keptSeconds } from '../queue/settings.ts'
import type { Task } from '../queue/task.ts'
import { batchWrites } from './batch-writes.ts'
import type { Call, Log, Middleware } from './call.ts'
import { canvasMiddleware, waitsAgain } from './canvas.ts'
import { closeConnected, restAfter, restMs, watchConnection } from './connection.ts'
import { checkedResult, Failure } from './failure.ts'
import { admit } from './rate-limit.ts'
import { Replies } from './replies.ts'
import { Revocations } from './revocations.ts'
import { Run } from './run.ts'

export interface WorkerSettings extends ClientSettings {
  tasks: readonly Task[]
  /** The queues it takes tasks from, at most 100. Default: only `default`. */
  queues?: string[]
  /** How many tasks of each queue it runs at once. Default: 16. */
  concurrency?: number
  /** For remote control and logs. Default: host name and process id. */
  name?: string
  /** The first one is the outermost. */
  middleware?: readonly Middleware[]
  /** How long a lock lasts without renewal, and how often the worker looks for jobs that lost theirs. Default: 30 s. */
  lockMs?: number
  /**
   * How often a task may lose its worker before it fails, so that a task which kills its worker does not kill them all.
   * Default: 5. BullMQ does not count this for the tasks of a schedule.
   */
  maxRedeliveries?: number
  /**
   * A task of an unknown name or version is left to other workers for `times × forMs` in all, however many of them look
   * at it, and each look is `forMs` after the one before. Default: 600 times 500 ms, 5 minutes: an update takes that long.
   */
  leaveToOthers?: { times: number; forMs: number }
  log?: Log
}

/** How often a worker reads the revocations again, to forget those that other workers have fulfilled. */
const refreshMs = 600_000

const defaults = { concurrency: 16, lockMs: 30_000, maxRedeliveries: 5, leaveToOthers: { times: 600, forMs: 500 } }

/**
 * Starts a worker and returns once it takes tasks.
 *
 * @throws a one-line Error when Redis cannot be reached now, or a RangeError for settings and tasks that cannot be met
 */
export async function startWorker(settings: WorkerSettings): Promise<TaskWorker> {
  const tasks = new Map<string, Task>()
  checkSettings(settings)
  for (const task of settings.tasks) {
    checkTask(task)
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

/** The reason for stopping a run whose worker must end: the task is given back, for another worker. */
class GivenBack extends Error {}

export class TaskWorker implements AsyncDisposable {
  readonly name: string
  readonly queues: readonly string[]
  /** Fulfilled when the worker has ended, by `close` or by remote control. */
  readonly closed: Promise<void>
  readonly #settings: WorkerSettings
  readonly #tasks: ReadonlyMap<string, Task>
  readonly #redis: Redis
  readonly #subscriber: Redis
  /** For the tasks' own data; opened when the first task uses it. */
  #data: Redis | undefined
  readonly #client: Client
  readonly #prefix: string
  readonly log: Log | undefined
  readonly #replies: Replies
  readonly #revoked: Revocations
  /** A set of runs, not a map by id: a task that has lost its lock may run here twice. */
  readonly #running = new Set<Run>()
  readonly #workers: Worker<Message>[] = []
  readonly #leave: { times: number; forMs: number }
  #refresh: NodeJS.Timeout | undefined
  readonly #ended = Promise.withResolvers<void>()
  readonly #startedAt = Date.now()
  readonly #counts = { succeeded: 0, failed: 0, retried: 0 }
  #concurrency: number
  #closing: Promise<void> | undefined
  /** Runs that begin now are given back at once. */
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
    this.#subscriber = asSubscriber(redis.duplicate({ lazyConnect: true }))
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
    // After the subscription, so that no revocation is missed in between; and again after each lost connection.
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
          // Any other error comes from Redis, after the task has ended.
          backoffStrategy: (attempt = 1, _type, error, job) =>
            error instanceof Failure
              ? error.retryInMs
              : retryDelayMs(attempt, errorOf(error), this.#tasks.get(job?.name ?? '')?.retries),
        },
        ...(rateLimit && { limiter: { max: rateLimit.max, duration: rateLimit.perMs } }),
      })
      worker.on('error', (error) => restAfter(error, worker, this))
      worker.on('stalled', (id) => this.log?.warn({ id, queue: name }, 'a task has lost its worker and will run again'))
      worker.on('completed', (job, result) => this.#succeeded(job, result))
      worker.on('failed', (job, error) => this.#failed(job, error))
      this.#workers.push(worker)
    }
    await Promise.all(this.#workers.map((worker) => worker.waitUntilReady()))
  }

  async #process(job: Job<Message>, token: string | undefined): Promise<unknown> {
    const task = await this.#admitted(job, token).catch((error) => this.#leaveAside(job, token, error))
    const run = new Run(job, task, this)
    this.#running.add(run)
    if (this.#givesBack) run.stop(new GivenBack('the worker ends'))
    try {
      return await this.#called(run)
    } catch (thrown) {
      // Of a strange object, even its class cannot be asked.
      const error = errorOf(thrown)
      if (!(error instanceof GivenBack)) throw new Failure(thrown, this.#retryInMs(run, error))
      await job.moveToWait(token)
      throw new WaitingError()
    } finally {
      this.#running.delete(run)
    }
  }

  /** Lets a job pass all gates before its run; throws at the first one that it does not pass. */
  async #admitted(job: Job<Message>, token: string | undefined): Promise<Task> {
    const { id = '', data: message } = job
    const fits = messageSchema.safeParse(message)
    if (!fits.success) throw new InvalidArguments(`${job.name}: not a message: ${describeIssues(fits.error)}`)
    const task = this.#tasks.get(job.name)
    if (!task || message.version > task.version) return await this.#leaveToOthers(job, token, task)
    await this.#refuseRevoked(id, task)
    if (message.canvas?.after && (await waitsAgain(job, token))) throw new WaitingChildrenError()
    const { notBefore = 0 } = message
    if (notBefore > Date.now()) return await postpone(job, token, notBefore - Date.now())
    const { expiresInMs = Number.POSITIVE_INFINITY, expiresAt = dueAt(job) + expiresInMs } = message
    if (Date.now() > expiresAt) {
      const before = job.failedReason ? `, and its last try had failed: ${job.failedReason}` : ''
      throw new TaskExpired(`${task.name} expired ${Date.now() - expiresAt} ms before a worker came to it${before}`)
    }
    if (task.rateLimit) {
      const asked = { prefix: this.#prefix, task: task.name, id, limit: task.rateLimit }
      const waitMs = await admit(this.#redis, asked, (ids) => void this.#askAgain(ids, job.queueName))
      if (waitMs > 0) return await postpone(job, token, waitMs)
      // It may have been revoked while Redis was asked.
      await this.#refuseRevoked(id, task)
    }
    return task
  }

  /**
   * A gate has thrown. If it was Redis that refused to answer, the task has not failed, and comes again in a moment. If
   * Redis refuses that too, it comes again when its lock has run out.
   */
  async #leaveAside(job: Job<Message>, token: string | undefined, error: unknown): Promise<never> {
    const refusal = error instanceof Error ? refusalOf(error) : undefined
    if (refusal === undefined) throw error
    this.log?.error({ id: job.id, queue: job.queueName }, `Redis ${refusal}`)
    return await postpone(job, token, restMs).catch((thrown) => {
      throw thrown instanceof DelayedError ? thrown : new WaitingError()
    })
  }

  async #called(run: Run): Promise<unknown> {
    const { middleware = [] } = this.#settings
    const { canvas, args } = run.job.data
    const checked = (result: unknown) => checkedResult(result, run.definition, this.#settings)
    if (canvas) return await this.#surrounded(run, [canvasMiddleware(canvas, run, checked), ...middleware])
    // Most tasks have none: a shortcut.
    return checked(middleware.length === 0 ? await run.start(args) : await this.#surrounded(run, middleware))
  }

  /** Below 0 if this was the task's last try. */
  #retryInMs(run: Run, error: Error): number {
    const isLastTry = run.attempt >= (run.job.opts.attempts ?? 1)
    if (isLastTry || error instanceof UnrecoverableError) return -1
    return retryDelayMs(run.attempt, error, run.definition.retries)
  }

  /** Lets tasks that wait for a moment which no longer counts come now. An error leaves them where they are. */
  async #askAgain(ids: readonly string[], queue: string) {
    for (const id of ids) {
      const job = await this.#client
        .queue(partsOf(id)?.queue ?? queue)
        .getJob(id)
        .catch(() => {})
      await job?.promote().catch(() => {})
    }
  }

  async #refuseRevoked(id: string, task: Task) {
    if (await this.#revoked.includes(id)) throw new TaskRevoked(`${task.name} was revoked before it began`)
  }

  async #surrounded(run: Run, middleware: readonly Middleware[]): Promise<unknown> {
    const { job, definition: task } = run
    const isLastTry = run.attempt >= (job.opts.attempts ?? 1)
    const isFinal = (error: Error) => !(error instanceof GivenBack) && this.#retryInMs(run, error) < 0
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
      // A failing command reports it to its task.
      this.#data.on('error', () => {})
    }
    return this.#data
  }

  /**
   * During an update some workers know tasks that others do not know yet. So the task is put aside for a moment, for
   * others to take. If none does for some time, it fails, and can be retried when the workers are up to date. The time
   * counts, and not how often: many old workers would use up any number while one new worker is busy.
   */
  async #leaveToOthers(job: Job<Message>, token: string | undefined, task: Task | undefined): Promise<never> {
    const problem = task
      ? `this worker has version ${task.version} of "${job.name}", the message is for version ${job.data.version}`
      : `no task of this worker is called "${job.name}"; it has ${[...this.#tasks.keys()].join(', ')}`
    const { times, forMs } = this.#leave
    const key = `${this.#prefix}:${job.queueName}:${job.id}`
    // In the job's own hash, so that it goes with the job; and for each try, because the next one has its own time.
    const field = `left:${job.attemptsMade}`
    const isNew = await this.#redis.hsetnx(key, field, Date.now())
    const since = Number(await this.#redis.hget(key, field))
    if (Date.now() - since >= times * forMs) {
      await this.#redis.hdel(key, field)
      throw new UnknownTask(`${problem}; update the workers of the queue "${job.queueName}" and retry it`)
    }
    if (isNew) this.log?.warn({ id: job.id }, `${problem}; left to others`)
    return await postpone(job, token, forMs)
  }

  #succeeded(job: Job<Message>, result: unknown) {
    this.#counts.succeeded++
    this.#forget(job)
    this.log?.debug({ id: job.id, task: job.name }, 'succeeded')
    this.#replies.succeeded(job, result)
  }

  #failed(job: Job<Message> | undefined, error: Error) {
    if (!job) return
    const { id = '', name: task } = job
    if (job.finishedOn === undefined) {
      this.#counts.retried++
      this.log?.warn({ id, task, error: error.message, inMs: job.delay }, 'failed, will be retried')
      return
    }
    this.#counts.failed++
    this.log?.warn({ id, task, error: `${nameInStack(error.stack ?? '')}: ${error.message}` }, 'failed')
    this.#replies.failed(job, error)
    this.#forget(job)
    if (this.#tasks.get(task)?.rateLimit) giveBack(this.#redis, this.#prefix, [id]).catch(() => {})
  }

  /** Nobody needs to remember that a task was revoked when it has ended: it may be sent again with the same key. */
  #forget({ id = '' }: Job) {
    if (this.#revoked.mayInclude(id)) this.#revoked.fulfilled(id).catch(() => {})
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
      case 'shutdown':
        return null
    }
  }

  /** Returns the ids of the running ones. */
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

  /** The running tasks. */
  active(): RunningTask[] {
    return [...this.#running].map(({ id, task, queue, args, startedAt }) => ({ id, task, queue, args, startedAt }))
  }

  /** How many tasks of each queue run at a time. A higher value takes effect at once, a lower one as tasks end. */
  get concurrency(): number {
    return this.#concurrency
  }

  set concurrency(value: number) {
    const more = value > this.#concurrency
    this.#concurrency = value
    for (const worker of this.#workers) {
      worker.concurrency = value
      // A worker with all places taken looks for tasks again when one ends, or when it is woken like this.
      if (more && this.#running.size > 0) {
        worker
          .pause(true)
          .then(() => worker.resume())
          .catch(() => {})
      }
    }
  }

  /** How many tasks wait in its queues, excluding those that wait for their time. */
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
   * Takes no more tasks and waits for the running ones; those that still run after `graceMs` are given back. While
   * Redis is unreachable, closing waits for it: results must be reported. A second call with a shorter `graceMs`
   * shortens the wait.
   */
  close({ graceMs = Number.POSITIVE_INFINITY }: { graceMs?: number } = {}): Promise<void> {
    const timer = after(
      graceMs,
      () => {
        this.#givesBack = true
        for (const run of this.#running) run.stop(new GivenBack('the worker ends'))
      },
      'graceMs',
    )
    this.closed.finally(timer.clear)
    clearInterval(this.#refresh)
    this.#closing ??= (async () => {
      await Promise.all(this.#workers.map(closeConnected))
      for (const connection of [this.#subscriber, this.#data]) {
        if (connection && connection.status !== 'end') connection.disconnect()
      }
      // Lets the last replies be sent.
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

/** When a job was due; the id of a schedule's job ends with that moment. */
const dueAt = ({ id = '', timestamp }: Job) => (id.startsWith('repeat:') ? Number(id.split(':').at(-1)) : timestamp)

/** Puts a job aside; the error tells BullMQ that the job has neither succeeded nor failed. */
async function postpone(job: Job<Message>, token: string | undefined, waitMs: number): Promise<never> {
  await job.moveToDelayed(Date.now() + waitMs, token)
  throw new DelayedError()
}
