/**
 * One run of a task, which time limits, a revocation or the end of its worker can stop.
 *
 * A function cannot be stopped from outside, so a run has these states:
 *
 *     waiting  the function runs, and the worker waits for it
 *     warned   the soft limit has passed: `context.signal` is aborted, and the worker still waits, so that a task which
 *              listens can return what it has
 *     stopped  by the hard limit, a revocation, or the end of the worker: the signal is aborted, the worker no longer
 *              waits, the run is rejected, its place is free, and the function's result is thrown away
 *     ended    the function has returned or thrown
 *
 * A run may be stopped before its function starts; then the function is not called. After `stopped`, a function that
 * does not listen to its signal continues in the background until it ends. Only work in a thread can really be ended:
 * see threads.ts. And no limit reaches a loop that never awaits, because it blocks the timers too.
 */
import { after } from '@repo/common/async/timer'
import type { Job } from 'bullmq'
import type { Redis } from 'ioredis'
import { InvalidArguments, SoftTimeLimitExceeded, TimeLimitExceeded } from '../queue/errors.ts'
import { jsonOf } from '../queue/json.ts'
import type { Message } from '../queue/message.ts'
import { describeIssues, parseArguments } from '../queue/options.ts'
import { acceptedBytes, checkSize } from '../queue/payload.ts'
import type { Task, TaskContext } from '../queue/task.ts'

/** What a run needs of its worker. */
export interface RunOwner {
  name: string
  readonly data: Redis
}

/** One run of a task, which is also the context that the task receives. */
export class Run implements TaskContext {
  readonly job: Job<Message>
  readonly definition: Task
  /** Milliseconds since 1970. */
  readonly startedAt = Date.now()
  readonly #owner: RunOwner
  // Both are created on demand: most tasks never need them.
  #controller: AbortController | undefined
  #stopped: PromiseWithResolvers<never> | undefined
  #reason: Error | undefined

  constructor(job: Job<Message>, definition: Task, owner: RunOwner) {
    this.job = job
    this.definition = definition
    this.#owner = owner
  }

  get id(): string {
    return this.job.id ?? ''
  }

  get task(): string {
    return this.definition.name
  }

  get queue(): string {
    return this.job.queueName
  }

  get worker(): string {
    return this.#owner.name
  }

  get attempt(): number {
    return this.job.attemptsMade + 1
  }

  get args(): unknown {
    return this.job.data.args
  }

  get redis(): Redis {
    return this.#owner.data
  }

  get progress(): TaskContext['progress'] {
    return async (value) => {
      checkSize(`${this.task}: received progress`, Buffer.byteLength(jsonOf(value)), acceptedBytes(this.definition, {}))
      await this.job.updateProgress(value)
    }
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#reason) this.#controller.abort(this.#reason)
    return this.#controller.signal
  }

  /** Asks the task to end: aborts its signal and still waits for it. */
  warn(reason: Error): void {
    this.#reason ??= reason
    this.#controller?.abort(reason)
  }

  /** Ends the wait: the run is rejected with the reason. */
  stop(reason: Error): void {
    // Before the signal is aborted, because what the task then throws must not become the reason.
    this.#stopped?.reject(reason)
    this.#reason = reason
    this.#controller?.abort(reason)
  }

  /**
   * Runs the task within its limits.
   *
   * @throws InvalidArguments, what the task throws, or the reason why the run was stopped
   */
  async start(args: unknown): Promise<unknown> {
    if (this.#reason) throw this.#reason
    const task = this.definition
    const parsed = parseArguments(task, args)
    if (!parsed.success) throw new InvalidArguments(`${task.name}: ${describeIssues(parsed.error)}`)
    const outcome = task.run?.(parsed.data, this)
    return isThenable(outcome) ? await this.within(() => outcome) : outcome
  }

  /** Does work within the task's limits. Nested calls share the limits of the outermost one. */
  // #region within
  async within<T>(work: () => PromiseLike<T>): Promise<T> {
    if (this.#stopped) return await work()
    const { definition: task, job } = this
    const { softLimitMs = task.softLimitMs, hardLimitMs = task.hardLimitMs } = job.data
    this.#stopped = Promise.withResolvers()
    const soft = softLimitMs === undefined ? undefined : after(softLimitMs, () => this.warn(softLimit(softLimitMs)))
    const hard = hardLimitMs === undefined ? undefined : after(hardLimitMs, () => this.stop(hardLimit(hardLimitMs)))
    try {
      return await Promise.race([work(), this.#stopped.promise])
    } finally {
      soft?.clear()
      hard?.clear()
      this.#stopped = undefined
    }
  }
  // #endregion within
}

const softLimit = (ms: number) => new SoftTimeLimitExceeded(`the task ran longer than its soft limit of ${ms} ms`)
const hardLimit = (ms: number) => new TimeLimitExceeded(`the task ran longer than its hard limit of ${ms} ms`)

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
