/**
 * One run of a task that can be stopped: by its soft and hard time limit, by a revocation, or because its worker ends.
 *
 * A function cannot be stopped from outside. The soft limit aborts `context.signal`, and a task that listens ends in order.
 * The hard limit and whatever else stops the run abort the signal too, and the worker waits no longer: the task fails, its
 * place is free, its result is thrown away, and a function that does not listen goes on until its end. Only work in
 * a thread is really ended: see threads.ts. A loop that never awaits holds up the timers too: no limit reaches it.
 */
import type { Job } from 'bullmq'
import type { Redis } from 'ioredis'
import { describeIssues } from '../queue/client.ts'
import { InvalidArguments, SoftTimeLimitExceeded, TimeLimitExceeded } from '../queue/errors.ts'
import type { Message } from '../queue/message.ts'
import type { Task, TaskContext } from '../queue/task.ts'

/** What a run knows of its worker. */
export interface RunOwner {
  name: string
  readonly data: Redis
}

/** One run of a task, and the context that the task is handed. */
export class Run implements TaskContext {
  readonly job: Job<Message>
  readonly definition: Task
  /** Milliseconds since 1970. */
  readonly startedAt = Date.now()
  readonly #owner: RunOwner
  // Both are made when somebody needs them: most tasks end without.
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
    return (value) => this.job.updateProgress(value)
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#reason) this.#controller.abort(this.#reason)
    return this.#controller.signal
  }

  /** Asks the task to end: aborts its signal, and goes on waiting for it. */
  warn(reason: Error): void {
    this.#reason ??= reason
    this.#controller?.abort(reason)
  }

  /** Ends the wait: the run is rejected with the reason. */
  stop(reason: Error): void {
    // First, for what the task throws when its signal is aborted is not the reason.
    this.#stopped?.reject(reason)
    this.#reason = reason
    this.#controller?.abort(reason)
  }

  /**
   * Runs the task within its limits; `stop` may come before, during and after.
   *
   * @throws InvalidArguments when they do not fit, what the task throws, or the reason why it was stopped
   */
  async start(args: unknown): Promise<unknown> {
    if (this.#reason) throw this.#reason
    const task = this.definition
    const parsed = task.args.safeParse(args)
    if (!parsed.success) throw new InvalidArguments(`${task.name}: ${describeIssues(parsed.error)}`)
    const outcome = task.run?.(parsed.data, this)
    return isThenable(outcome) ? await this.within(() => outcome) : outcome
  }

  /** Has work done within the task's limits. Work inside of that has none of its own: the limits are those of the whole. */
  async within<T>(work: () => PromiseLike<T>): Promise<T> {
    if (this.#stopped) return await work()
    const { definition: task, job } = this
    const { softLimitMs = task.softLimitMs, hardLimitMs = task.hardLimitMs } = job.data
    this.#stopped = Promise.withResolvers()
    const soft =
      softLimitMs === undefined ? undefined : setTimeout(() => this.warn(softLimit(softLimitMs)), softLimitMs)
    const hard =
      hardLimitMs === undefined ? undefined : setTimeout(() => this.stop(hardLimit(hardLimitMs)), hardLimitMs)
    try {
      return await Promise.race([work(), this.#stopped.promise])
    } finally {
      clearTimeout(soft)
      clearTimeout(hard)
      this.#stopped = undefined
    }
  }
}

const softLimit = (ms: number) => new SoftTimeLimitExceeded(`the task ran longer than its soft limit of ${ms} ms`)
const hardLimit = (ms: number) => new TimeLimitExceeded(`the task ran longer than its hard limit of ${ms} ms`)

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
