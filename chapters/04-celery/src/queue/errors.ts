/** The errors of the layer. Those of the worker's side reach the sender as a `TaskFailed` with their name. */
import { UnrecoverableError } from 'bullmq'

/** Whatever went wrong with a task in a worker. Its stack is the worker's: where it went wrong, not where that was heard of. */
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

  /** The stack as the worker had it, in the worker's files. */
  get remoteStack(): string {
    return this.#remoteStack
  }
}

/** The wait for a result has ended, the task has not. */
export class ResultTimeout extends Error {
  override name = 'ResultTimeout'
}

/** There is nothing to wait for: purged, forgotten, its result ignored, or older than what is kept. */
export class TaskGone extends Error {
  override name = 'TaskGone'
}

/** Found out by the sender, before anything was sent. */
export class PayloadTooLarge extends Error {
  override name = 'PayloadTooLarge'
}

/** Arguments that do not fit the task's schema; thrown to the sender, or fails the task in the worker, once and for all. */
export class InvalidArguments extends UnrecoverableError {}
/** Nobody who was asked knows the task, or everybody knows only an older version of it. */
export class UnknownTask extends UnrecoverableError {}
export class TaskRevoked extends UnrecoverableError {}
export class TaskExpired extends UnrecoverableError {}
/** The hard limit; the soft one is the reason of `context.signal`. It is tried again if the task's retries allow. */
export class TimeLimitExceeded extends Error {}
export class SoftTimeLimitExceeded extends Error {}

/** Thrown by a task that wants to be tried again after a time of its own choice, within its retries. */
export class RetryLater extends Error {
  readonly afterMs: number
  constructor(message: string, { afterMs, cause }: { afterMs: number; cause?: unknown }) {
    super(message, { cause })
    this.afterMs = afterMs
  }
}

// On the prototype, so that the first line of a stack, all that Redis keeps of a name, has it too.
for (const kind of [
  InvalidArguments,
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
