/**
 * Results, as their sender sees them.
 *
 * The job in Redis holds the result of a task. The worker also publishes it on the sender's channel: the result itself
 * when it is small, otherwise a hint that there is one. So results arrive without polling, and no task costs a command
 * of its own, because a worker publishes all tasks that it finished in one turn of its event loop together. But Redis
 * delivers a publication only to clients that are connected at that moment. So a waiter also checks Redis once a
 * second.
 *
 * `Results` keeps each task of its client in up to two of these states:
 *
 *     expected  the client has sent it and its end is not yet published
 *     waiting   a caller waits for it: a look into Redis, once a second, asks about all such tasks
 *     settled   its outcome is known: it was published, a look has found it, or the client was closed
 *
 * `expect` and `wait` lead to the first two, and `receive`, a look or `close` to the last. A task that is not expected,
 * because another client has sent it or because too many others are, may have ended long ago: `wait` then begins with a
 * look.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { aborted } from '@repo/common/async/abort'
import { after } from '@repo/common/async/timer'
import type { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { nameInStack, ResultTimeout, TaskExpired, TaskFailed, TaskGone, TaskRevoked } from './errors.ts'
import { forgetRevocations } from './forget-revocations.ts'
import { type Message, partsOf, type Reply, replyChannel, revokedKey } from './message.ts'
import { giveBack } from './moments.ts'

/** Where a task is. In Celery: PENDING, PENDING, STARTED, RETRY, SUCCESS, FAILURE, REVOKED, REVOKED, PENDING. */
export type TaskState =
  | 'waiting'
  | 'scheduled'
  | 'running'
  | 'retrying'
  | 'succeeded'
  | 'failed'
  | 'revoked'
  | 'expired'
  | 'unknown'

/** How a task ended. */
export type Outcome = { ok: true; value: unknown } | { ok: false; error: Error }

export interface WaitOptions {
  /** Default: for ever. */
  timeoutMs?: number
  signal?: AbortSignal
}

const lookEveryMs = 1_000
/** Tasks in one look; the next look asks for the next ones. */
const lookAtMost = 2_000
/** Tasks expected at the same time. Some never end, such as purged ones, and must not be remembered for ever. */
const expectedAtMost = 200_000

/** What a `TaskResult` needs of the client that made it. */
export interface ResultSource {
  results: Results
  redis: Redis
  prefix: string
  queue: (name: string) => Queue<Message>
  explaining: <T>(work: () => Promise<T>) => Promise<T>
}

/** A sent task, and how it ended: Celery's AsyncResult. */
export class TaskResult<Result = unknown> {
  readonly id: string
  readonly queue: string
  readonly task: string
  /** Its success is not kept, so there is nothing to wait for. */
  readonly ignored: boolean
  readonly #source: ResultSource
  #outcome: Outcome | undefined

  constructor(
    source: ResultSource,
    { id, queue, task, ignored }: { id: string; queue: string; task: string; ignored: boolean },
  ) {
    this.id = id
    this.queue = queue
    this.task = task
    this.ignored = ignored
    this.#source = source
  }

  /** How the task ended, once this process knows. */
  get outcome(): Outcome | undefined {
    return this.#outcome
  }

  /**
   * Waits for the result.
   *
   * @throws TaskFailed with the worker's stack when the task failed, was revoked or has expired
   * @throws TaskGone when there is nothing to wait for, ResultTimeout after `timeoutMs`, or the signal's reason
   */
  async get(options: WaitOptions = {}): Promise<Result> {
    const [value] = await gather([this as TaskResult<Result>], options)
    return value as Result
  }

  /**
   * Waits for the end and returns it; an error of the task is returned, not thrown.
   *
   * @throws TaskGone when there is nothing to wait for, or the signal's reason
   */
  async settled({ signal }: Pick<WaitOptions, 'signal'> = {}): Promise<Outcome> {
    if (this.ignored) {
      throw new TaskGone(`the result of ${this.task} (${this.id}) is ignored: there is nothing to wait for`)
    }
    const ended = this.#outcome ?? this.#source.results.wait(this)
    this.#outcome ??= await (signal ? Promise.race([ended, aborted(signal)]) : ended)
    return this.#outcome
  }

  /** Called by `Results`. */
  settle(outcome: Outcome): void {
    this.#outcome ??= outcome
  }

  /** Asks Redis where the task is now. */
  async state(): Promise<TaskState> {
    const { id } = this
    const source = this.#source
    const [state, job, revoked] = await source.explaining(async () => {
      const queue = source.queue(this.queue)
      return await Promise.all([
        queue.getJobState(id),
        queue.getJob(id),
        source.redis.zscore(revokedKey(source.prefix), id),
      ])
    })
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
  }

  /** The last value that the task reported with `context.progress`; 0 before the first one. */
  async progress(): Promise<unknown> {
    return (await this.#source.explaining(() => this.#source.queue(this.queue).getJob(this.id)))?.progress ?? 0
  }

  /** Removes a finished task from Redis; a waiting one is removed too, and will not run. */
  async forget(): Promise<void> {
    const source = this.#source
    await source.explaining(async () => {
      await source.queue(this.queue).remove(this.id)
      await giveBack(source.redis, source.prefix, [this.id])
      await forgetRevocations(source.redis, source.prefix, [this.id])
    })
  }
}

/**
 * Waits for several results, with one deadline and one listener on the signal for all.
 *
 * @returns the values in the order of the results
 * @throws what the first failing task threw; else like `TaskResult.get`
 */
export async function gather<Result>(
  results: readonly TaskResult<Result>[],
  options: WaitOptions = {},
): Promise<Result[]> {
  async function describeTimeout() {
    const missing = results.filter((result) => result.outcome === undefined)
    const [first] = missing
    // A server that does not answer must not prolong the wait much.
    const enough = new AbortController()
    const state = await Promise.race([
      first?.state().catch(() => undefined),
      delay(500, undefined, { signal: enough.signal }),
    ])
    enough.abort()
    const others = missing.length > 1 ? ` and ${missing.length - 1} more` : ''
    const where = state ? `; it is ${state}` : ''
    return `no result of ${first?.task} (${first?.id})${others} within ${options.timeoutMs} ms${where}`
  }
  const value = async (result: TaskResult<Result>) => {
    const ended = await result.settled()
    if (!ended.ok) throw ended.error
    return ended.value as Result
  }
  // All at once, so that the first failure ends the wait.
  return await waitFor(() => Promise.all(results.map(value)), options, describeTimeout)
}

/**
 * Waits for work until a deadline or the signal.
 *
 * @param late describes what did not come in time, for the error
 * @throws ResultTimeout, the signal's reason, or what the work throws
 */
async function waitFor<T>(
  work: () => Promise<T>,
  { timeoutMs, signal }: WaitOptions,
  late: () => string | Promise<string>,
): Promise<T> {
  signal?.throwIfAborted()
  const end = Promise.withResolvers<never>()
  const abort = () => end.reject(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  const timeOut = async () => end.reject(new ResultTimeout(await late()))
  const timer = timeoutMs === undefined ? undefined : after(timeoutMs, timeOut, 'timeoutMs')
  try {
    return await Promise.race([work(), end.promise])
  } finally {
    timer?.clear()
    signal?.removeEventListener('abort', abort)
  }
}

/** All results that one client waits for. */
export class Results {
  readonly #redis: Redis
  readonly #subscriber: Redis
  readonly #prefix: string
  readonly #explained: (error: unknown) => unknown
  readonly #expected = new Map<string, TaskResult>()
  readonly #waiting = new Map<string, Waiter>()
  readonly #channels = new Map<string, Promise<unknown>>()
  #looking: NodeJS.Timeout | undefined
  #closed = false

  /**
   * @param subscriber a connection used for SUBSCRIBE only
   * @param explained turns the error of a Redis command into the one that is thrown
   */
  constructor(redis: Redis, subscriber: Redis, prefix: string, explained: (error: unknown) => unknown) {
    this.#redis = redis
    this.#subscriber = subscriber
    this.#prefix = prefix
    this.#explained = explained
    // What was published while the connection was lost is in Redis.
    subscriber.on('ready', () => void this.#look())
  }

  /** Subscribes to a client's channel once. Await it before sending the client's tasks. */
  async listenTo(client: string): Promise<void> {
    const channel = replyChannel(this.#prefix, client)
    let listening = this.#channels.get(channel)
    if (!listening) {
      // The subscriber waits for Redis for ever; the other connection fails when Redis is unreachable.
      listening = Promise.all([this.#subscriber.subscribe(channel), this.#redis.ping()])
      this.#channels.set(channel, listening)
      listening.catch(() => this.#channels.delete(channel))
    }
    await listening
  }

  /** Call this before sending the task: its end may be published before sending returns. */
  expect(result: TaskResult): void {
    this.#expected.set(result.id, result)
    if (this.#expected.size <= expectedAtMost) return
    // Drops the older half at once. One at a time would be slow, because each loop passes the deleted entries again.
    for (const id of this.#expected.keys()) {
      if (this.#expected.size <= expectedAtMost / 2) break
      this.#expected.delete(id)
    }
  }

  /** For a task that could not be sent. */
  forget(result: TaskResult): void {
    this.#expected.delete(result.id)
  }

  /**
   * Waits for the end of a task.
   *
   * @throws when it needs to look into Redis and cannot reach it
   */
  async wait(result: TaskResult): Promise<Outcome> {
    const { id } = result
    if (this.#closed) return { ok: false, error: closedWhile(result) }
    const known = this.#waiting.get(id)
    if (known) return await known.promise
    const waiter: Waiter = { ...Promise.withResolvers<Outcome>(), result }
    this.#waiting.set(id, waiter)
    this.#looking ??= setInterval(() => void this.#look(), lookEveryMs)
    if (!this.#expected.has(id)) {
      this.#lookFor(waiter).catch((error) => {
        // It may have settled meanwhile, and another wait may have begun.
        if (this.#waiting.get(id) === waiter) this.#endWait(id)
        waiter.reject(this.#explained(error))
      })
    }
    return await waiter.promise
  }

  async #lookFor(waiter: Waiter) {
    const client = partsOf(waiter.result.id)?.client
    if (client) await this.listenTo(client)
    await this.#ask([waiter])
  }

  /** Handles what was published on a reply channel. */
  receive(replies: Reply[]): void {
    for (const reply of replies) {
      const [id, kind] = reply
      if (kind === 'ok') this.#settle(id, { ok: true, value: reply[2] })
      else if (kind === 'error') {
        this.#settle(id, { ok: false, error: new TaskFailed(id, reply[2], reply[3], reply[4]) })
      } else {
        // A large result is read only when somebody waits for it.
        this.#expected.delete(id)
        const waiter = this.#waiting.get(id)
        if (waiter) this.#ask([waiter]).catch(() => {})
      }
    }
  }

  #settle(id: string, outcome: Outcome) {
    const waiter = this.#waiting.get(id)
    const result = this.#expected.get(id) ?? waiter?.result
    result?.settle(outcome)
    this.#expected.delete(id)
    this.#endWait(id)
    waiter?.resolve(outcome)
  }

  #endWait(id: string) {
    this.#waiting.delete(id)
    if (this.#waiting.size > 0) return
    clearInterval(this.#looking)
    this.#looking = undefined
  }

  async #look() {
    const some = [...this.#waiting.values()].slice(0, lookAtMost)
    // Moved to the end, so that the next look asks about the others.
    for (const waiter of some) {
      this.#waiting.delete(waiter.result.id)
      this.#waiting.set(waiter.result.id, waiter)
    }
    // While Redis is unreachable a look fails; the next one may succeed.
    await this.#ask(some).catch(() => {})
  }

  async #ask(waiters: Waiter[]) {
    if (waiters.length === 0) return
    const pipeline = this.#redis.pipeline()
    for (const { result } of waiters) {
      const fields = ['name', 'finishedOn', 'returnvalue', 'failedReason', 'stacktrace']
      pipeline.hmget(`${this.#prefix}:${result.queue}:${result.id}`, ...fields)
    }
    const answers = (await pipeline.exec()) ?? []
    let failure: Error | undefined
    for (const [at, { result }] of waiters.entries()) {
      const [error, fields] = answers[at] ?? []
      failure ??= error ?? undefined
      const outcome = error ? undefined : outcomeOf(result, fields as (string | null)[])
      if (outcome) this.#settle(result.id, outcome)
    }
    // Thrown last, so that the other answers count.
    if (failure) throw failure
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#looking)
    for (const { result } of this.#waiting.values()) {
      this.#settle(result.id, { ok: false, error: closedWhile(result) })
    }
  }
}

const closedWhile = ({ task, id }: TaskResult) =>
  new TaskGone(`the client was closed during the wait for ${task} (${id})`)

interface Waiter extends PromiseWithResolvers<Outcome> {
  result: TaskResult
}

/** How a job ended, from its fields in Redis; undefined if it has not. */
function outcomeOf({ id, task }: TaskResult, fields: (string | null)[]): Outcome | undefined {
  const [name, finishedOn, returnvalue, failedReason, stacktrace] = fields
  if (name === null) {
    const why = 'it was purged or forgotten, its result is ignored, or it is too old'
    return { ok: false, error: new TaskGone(`Redis has no ${task} (${id}): ${why}`) }
  }
  if (!finishedOn) return undefined
  try {
    if (returnvalue !== null) return { ok: true, value: JSON.parse(returnvalue ?? 'null') }
    const stack = (JSON.parse(stacktrace ?? '[]') as string[]).at(-1) ?? ''
    return { ok: false, error: new TaskFailed(id, nameInStack(stack), failedReason ?? '', stack) }
  } catch (cause) {
    return { ok: false, error: new TaskGone(`the result of ${task} (${id}) is not JSON`, { cause }) }
  }
}
