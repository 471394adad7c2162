/** The errors of the layer. Errors thrown in a worker reach the sender as a `TaskFailed` that carries their name. */
import { requireMs } from '@repo/common/async/timer'
import { UnrecoverableError } from 'bullmq'
import { longestMs } from './settings.ts'

/** A task failed in its worker. The stack is the worker's: it shows where the task failed, not who waited for it. */
export class TaskFailed extends Error {
  override name = 'TaskFailed'
  readonly taskId: string
  /** The name of the error that was thrown in the worker, such as `RangeError` or `InvalidArguments`. */
  readonly remoteName: string
  readonly #remoteStack: string

  constructor(taskId: string, remoteName: string, message: string, remoteStack: string) {
    super(message === '' ? remoteName : `${remoteName}: ${message}`)
    this.taskId = taskId
    this.remoteName = remoteName
    this.#remoteStack = remoteStack
    this.stack = `${this.name}: ${remoteStack || this.message}`
  }

  /** The stack as the worker saw it, with the worker's files and lines. */
  get remoteStack(): string {
    return this.#remoteStack
  }
}

/** The wait for a result has ended; the task has not. */
export class ResultTimeout extends Error {
  override name = 'ResultTimeout'
}

/** Nothing to wait for: the task was purged or forgotten, its result is ignored, or it ended too long ago. */
export class TaskGone extends Error {
  override name = 'TaskGone'
}

/** Arguments that do not match the schema: thrown in the sender; in the worker, the task fails without retries. */
export class InvalidArguments extends UnrecoverableError {}
/** Arguments: thrown in the sender, before it sends anything. A result: in the worker, the task fails without retries. */
export class PayloadTooLarge extends UnrecoverableError {}
/** A result that JSON would change: the task fails without retries. */
export class InvalidResult extends UnrecoverableError {}
/** A task was retried by hand, and another one, whose result it takes, has failed. */
export class PredecessorFailed extends UnrecoverableError {}
/** No worker of the queue knows the task, or none knows its version. */
export class UnknownTask extends UnrecoverableError {}
export class TaskRevoked extends UnrecoverableError {}
export class TaskExpired extends UnrecoverableError {}
/** The hard limit; the soft one is the reason of `context.signal`. Retried if the task's policy allows. */
export class TimeLimitExceeded extends Error {}
export class SoftTimeLimitExceeded extends Error {}

/** Thrown by a task that chooses for itself when to be retried; its policy still limits how often. */
export class RetryLater extends Error {
  readonly afterMs: number
  /** @throws a RangeError for a time at which nothing can be retried */
  constructor(message: string, { afterMs, cause }: { afterMs: number; cause?: unknown }) {
    super(message, { cause })
    if (requireMs(afterMs, 'afterMs') > longestMs) {
      throw new RangeError(`afterMs: received ${afterMs}; accepts milliseconds to ${longestMs}`)
    }
    this.afterMs = Math.ceil(afterMs)
  }
}

// On the prototype, so that it is in the first line of the stack: Redis keeps an error's name nowhere else.
for (const kind of [
  InvalidArguments,
  PayloadTooLarge,
  InvalidResult,
  PredecessorFailed,
  UnknownTask,
  TaskRevoked,
  TaskExpired,
  TimeLimitExceeded,
  SoftTimeLimitExceeded,
  RetryLater,
]) {
  Object.defineProperty(kind.prototype, 'name', { value: kind.name, writable: true })
}

/** The name of an error from the first line of its stack: `RangeError: too far` or `RangeError`. */
export function nameInStack(stack: string): string {
  return /^(?:Uncaught )?([A-Za-z_$][\w$.]*)(?=:|\n|$)/.exec(stack)?.[1] ?? 'Error'
}
