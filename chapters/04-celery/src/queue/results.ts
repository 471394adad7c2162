/**
 * Results as their sender sees them.
 *
 * The job in Redis holds what became of a task. That there is something to read, or the result itself when it is small,
 * comes by PUBLISH on the sender's own channel: no polling, and no command per task, for a worker tells of all tasks
 * that it finished in one turn of its event loop at once. What is published while nobody is connected is lost; therefore
 * whoever waits also looks into Redis, at the beginning where that may help, and then once a second.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { aborted } from '@repo/common/async/abort'
import type { Redis } from 'ioredis'
import { nameInStack, ResultTimeout, TaskFailed, TaskGone } from './errors.ts'
import { partsOf, type Reply, replyChannel } from './message.ts'

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
  /** How long to wait; for ever when not given. */
  timeoutMs?: number
  signal?: AbortSignal
}

const lookEveryMs = 1_000
/** Of so many tasks at most whoever waits asks in one look; the next look asks for the next ones. */
const lookAtMost = 2_000
/** Of so many tasks that were sent it is remembered that their ends will be told: some of them never are, as when purged. */
const sentAtMost = 200_000

/** What a `TaskResult` needs of the client that made it. */
export interface ResultSource {
  state: (id: string, queue: string) => Promise<TaskState>
  progress: (id: string, queue: string) => Promise<unknown>
  forget: (id: string, queue: string) => Promise<void>
}

/** A task that was sent, and what became of it: Celery's AsyncResult. */
export class TaskResult<Result = unknown> {
  readonly id: string
  readonly queue: string
  readonly task: string
  /** Nothing of its success will be kept, so there is nothing to wait for. */
  readonly ignored: boolean
  readonly #results: Results
  readonly #source: ResultSource
  #outcome: Outcome | undefined

  constructor(
    results: Results,
    source: ResultSource,
    { id, queue, task, ignored }: { id: string; queue: string; task: string; ignored: boolean },
  ) {
    this.id = id
    this.queue = queue
    this.task = task
    this.ignored = ignored
    this.#results = results
    this.#source = source
  }

  /** How it ended, once this process knows. */
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
   * Waits for the end and returns it instead of throwing what the task threw.
   *
   * @throws TaskGone when there is nothing to wait for, or the signal's reason
   */
  async settled({ signal }: Pick<WaitOptions, 'signal'> = {}): Promise<Outcome> {
    if (this.ignored) {
      throw new TaskGone(`the result of ${this.task} (${this.id}) is ignored: there is nothing to wait for`)
    }
    const ended = this.#outcome ?? this.#results.wait(this)
    this.#outcome ??= await (signal ? Promise.race([ended, aborted(signal)]) : ended)
    return this.#outcome
  }

  /** Called by `Results`. */
  settle(outcome: Outcome): void {
    this.#outcome ??= outcome
  }

  /** Asks Redis where the task is now. */
  async state(): Promise<TaskState> {
    return await this.#source.state(this.id, this.queue)
  }

  /** What the task last told by `context.progress`; 0 when nothing. */
  async progress(): Promise<unknown> {
    return await this.#source.progress(this.id, this.queue)
  }

  /** Removes what Redis keeps of a finished task. Its state is `unknown` from then on. */
  async forget(): Promise<void> {
    await this.#source.forget(this.id, this.queue)
  }

  /** What of it may be sent to another process, which finds the result by the id: `client.result(id)`. */
  toJSON() {
    return { id: this.id, task: this.task, queue: this.queue }
  }
}

/**
 * Waits for several results, with one deadline and one listener on the signal for all of them.
 *
 * @returns the values in the order of the results
 * @throws what the first one to fail threw; see `TaskResult.get`
 */
export async function gather<Result>(
  results: readonly TaskResult<Result>[],
  options: WaitOptions = {},
): Promise<Result[]> {
  async function describeTimeout() {
    const missing = results.filter((result) => result.outcome === undefined)
    const [first] = missing
    // A server that does not answer must not make the wait longer than it was meant to be.
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
  // Started together, so that the first failure ends the wait.
  return await waitFor(() => Promise.all(results.map(value)), options, describeTimeout)
}

/**
 * Waits for work, but not longer than it is told to.
 *
 * @param late says what did not come in time
 * @throws ResultTimeout, the signal's reason, or what the work throws
 */
export async function waitFor<T>(
  work: () => Promise<T>,
  { timeoutMs, signal }: WaitOptions,
  late: () => string | Promise<string>,
): Promise<T> {
  signal?.throwIfAborted()
  const end = Promise.withResolvers<never>()
  const abort = () => end.reject(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  const timeOut = async () => end.reject(new ResultTimeout(await late()))
  const timer = timeoutMs === undefined ? undefined : setTimeout(timeOut, timeoutMs)
  try {
    return await Promise.race([work(), end.promise])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

/** All results that one client waits for. */
export class Results {
  readonly #redis: Redis
  readonly #subscriber: Redis
  readonly #prefix: string
  readonly #explained: (error: unknown) => unknown
  /** Tasks sent and not known to have finished. */
  readonly #sent = new Map<string, TaskResult>()
  readonly #waiting = new Map<string, Waiter>()
  readonly #channels = new Map<string, Promise<unknown>>()
  #looking: NodeJS.Timeout | undefined
  #closed = false

  /**
   * @param subscriber a connection of its own, for SUBSCRIBE
   * @param explained turns what went wrong with Redis into what is thrown
   */
  constructor(redis: Redis, subscriber: Redis, prefix: string, explained: (error: unknown) => unknown) {
    this.#redis = redis
    this.#subscriber = subscriber
    this.#prefix = prefix
    this.#explained = explained
    // Whatever was told while the connection was away is in Redis.
    subscriber.on('ready', () => void this.#look())
  }

  /** Makes sure that what the tasks of a client end with is heard here; to be awaited before they are sent. */
  async listenTo(client: string): Promise<void> {
    const channel = replyChannel(this.#prefix, client)
    let listening = this.#channels.get(channel)
    if (!listening) {
      // The subscriber waits for Redis for ever; the other connection says when there is none.
      listening = Promise.all([this.#subscriber.subscribe(channel), this.#redis.ping()])
      this.#channels.set(channel, listening)
      listening.catch(() => this.#channels.delete(channel))
    }
    await listening
  }

  /** Must be called before the task is sent: its end may be told before the answer to the sending. */
  expect(result: TaskResult): void {
    this.#sent.set(result.id, result)
    if (this.#sent.size <= sentAtMost) return
    // The older half at once, for each walk begins with what was deleted. Whoever waits for one of them looks into Redis.
    for (const id of this.#sent.keys()) {
      if (this.#sent.size <= sentAtMost / 2) break
      this.#sent.delete(id)
    }
  }

  /** For a task that could not be sent. */
  forget(result: TaskResult): void {
    this.#sent.delete(result.id)
  }

  /**
   * The end of a task, from `TaskResult.settled`.
   *
   * @throws when Redis is away and must be asked
   */
  async wait(result: TaskResult): Promise<Outcome> {
    const { id } = result
    if (this.#closed) return { ok: false, error: closedWhile(result) }
    const known = this.#waiting.get(id)
    if (known) return await known.promise
    const waiter: Waiter = { ...Promise.withResolvers<Outcome>(), result }
    this.#waiting.set(id, waiter)
    this.#looking ??= setInterval(() => void this.#look(), lookEveryMs)
    // One that this process has not sent, or of whose end it has not heard, may have ended long ago.
    if (!this.#sent.has(id)) {
      this.#lookFor(waiter).catch((error) => {
        // Told meanwhile, it may be waited for anew.
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

  /** Takes in what came on a reply channel. */
  hear(replies: Reply[]): void {
    for (const entry of replies) {
      const [id, kind] = entry
      if (kind === 'ok') this.#settle(id, { ok: true, value: entry[2] })
      else if (kind === 'error')
        this.#settle(id, { ok: false, error: new TaskFailed(id, entry[2], entry[3], entry[4]) })
      else {
        const result = this.#sent.get(id) ?? this.#waiting.get(id)?.result
        // Read only when somebody asks for it.
        this.#sent.delete(id)
        const waiter = this.#waiting.get(id)
        if (result && waiter) this.#ask([waiter]).catch(() => {})
      }
    }
  }

  #settle(id: string, outcome: Outcome) {
    const waiter = this.#waiting.get(id)
    const result = this.#sent.get(id) ?? waiter?.result
    result?.settle(outcome)
    this.#sent.delete(id)
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
    // To the end of the row, so that the next look asks for the others.
    for (const waiter of some) {
      this.#waiting.delete(waiter.result.id)
      this.#waiting.set(waiter.result.id, waiter)
    }
    // Without Redis there is nothing to be seen; the next look may.
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
    // The others have their answers.
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
  new TaskGone(`the client was closed while ${task} (${id}) was waited for`)

interface Waiter extends PromiseWithResolvers<Outcome> {
  result: TaskResult
}

/** What a job's fields in Redis say of its end; undefined while it has none. */
function outcomeOf({ id, task }: TaskResult, fields: (string | null)[]): Outcome | undefined {
  const [name, finishedOn, returnvalue, failedReason, stacktrace] = fields
  if (name === null) {
    const why = 'purged, forgotten, its result ignored, or too old'
    return { ok: false, error: new TaskGone(`nothing is kept of ${task} (${id}): ${why}`) }
  }
  if (!finishedOn) return undefined
  try {
    if (returnvalue !== null) return { ok: true, value: JSON.parse(returnvalue ?? 'null') }
    const stack = (JSON.parse(stacktrace ?? '[]') as string[]).at(-1) ?? ''
    return { ok: false, error: new TaskFailed(id, nameInStack(stack), failedReason ?? '', stack) }
  } catch (cause) {
    return { ok: false, error: new TaskGone(`what is kept of ${task} (${id}) is not JSON`, { cause }) }
  }
}
