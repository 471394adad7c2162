/**
 * What a task is: a name, a version, a schema of its arguments, a function, and how to run it.
 *
 *     export const add = defineTask({
 *       name: 'add',
 *       args: z.object({ a: z.number(), b: z.number() }),
 *       run: ({ a, b }) => a + b,
 *     })
 *
 * Sender and worker import the same definition, as in Celery. The sender uses its name, version and schema; only the
 * worker calls `run`.
 */
import type { Redis } from 'ioredis'
import type { z } from 'zod'
import type { Carried } from './json.ts'

/** How a failed task is retried, with exponential back-off and jitter: see retry.ts. */
export interface RetryPolicy {
  /** How many times, after the first try. */
  max: number
  /** The longest wait before the first retry; it doubles with each retry. Default: 1 s. */
  baseMs?: number
  /** No wait is longer than this. Default: 10 minutes. */
  maxMs?: number
  /** Draws each wait at random from 0 to its full length, to spread tasks that failed together. Default: true. */
  jitter?: boolean
  /** Which errors are worth a retry; if it throws or returns a promise, this one is not. Default: all. */
  when?: (error: Error) => boolean
}

/** How to run a task; a call may override most of it. */
export interface TaskOptions {
  /** The queue it goes to when neither the call nor a route names one. Default: `default`. */
  queue?: string
  /** Without a policy, an exception fails the task at once. */
  retries?: RetryPolicy
  /** From 1, first, to 9, last. Default: 5. Only for queues with `priorities`, see `QueueSettings`. */
  priority?: number
  /**
   * A task that no worker has begun within this time after it was sent never runs; one that is to be tried again, even by
   * hand, runs no more either.
   */
  expiresInMs?: number
  /** After this time `context.signal` is aborted, so that the task can finish early in an orderly way. */
  softLimitMs?: number
  /** After this time the worker stops waiting and fails the task; worker/run.ts says what happens to its function. */
  hardLimitMs?: number
  /** Keeps nothing of a task that succeeded. Failed tasks are always kept. */
  ignoreResult?: boolean
  /** The largest arguments and the largest result, in bytes of JSON. Default: `maxPayloadBytes` of client and worker. */
  maxPayloadBytes?: number
  /** At most `max` starts in `perMs` milliseconds across all workers, evenly spaced: see worker/rate-limit.ts. */
  rateLimit?: RateLimit
}

export interface RateLimit {
  max: number
  perMs: number
}

/** What a running task knows and can do, apart from its arguments. */
export interface TaskContext {
  id: string
  /** The name of the task, the queue it came from, and the worker that runs it. */
  task: string
  queue: string
  worker: string
  /** Number of this try, from 1. */
  attempt: number
  /** Aborted when the task is revoked, reaches its soft or hard limit, or is given back because its worker stops. */
  readonly signal: AbortSignal
  /** Reports how far the task is; the sender reads it with `result.progress()`. */
  progress: (value: number | object) => Promise<void>
  /** A second connection to the same Redis, for data beside the queue: large values there do not delay the locks. */
  readonly redis: Redis
}

/** A task as sender and worker share it. `S` is the schema of its arguments. */
export interface Task<S extends z.ZodType = z.ZodType, Result = unknown> extends TaskOptions {
  name: string
  /** Raise it when older workers must not run what newer senders send. */
  version: number
  args: S
  /** Returns what JSON can carry. A program that only sends can do without it. */
  run?(args: z.output<S>, context: TaskContext): Result | Promise<Result>
}

/** A task with its arguments, not yet sent: Celery's signature. */
export interface Signature<Result = unknown> {
  task: Task<z.ZodType, Result>
  args: unknown
  options?: SendOptions
  /** The argument that is still missing: it will be the result of the previous task of a canvas. */
  into?: string
  /** `args` is a list, and one message runs the task for each of its entries. */
  map?: true
  /** Sent when the task has succeeded, or has failed for good. */
  links?: Signature[]
  errorLinks?: Signature[]
}

/** Options of one call; they override those of the task's definition. */
export interface SendOptions
  extends Pick<TaskOptions, 'queue' | 'priority' | 'expiresInMs' | 'softLimitMs' | 'hardLimitMs' | 'ignoreResult'> {
  /** Not before this long from now. */
  countdownMs?: number
  /** Not before this moment. */
  eta?: Date
  /** How many times it is retried; the rest of the policy comes from the definition. */
  maxRetries?: number
  /**
   * Two calls with the same key, queue and task are one task: the second returns the result of the first. The key holds
   * as long as the result is kept: a day after success, two weeks after failure.
   */
  idempotencyKey?: string
}

/** Defines a task. Its version is 1 unless the definition says otherwise. */
export function defineTask<S extends z.ZodType, Result>(
  definition: Omit<Task<S, Result>, 'version'> & { version?: number } & ReturnsJson<Result>,
): Task<S, Result> {
  return { version: 1, ...definition }
}

/** Refuses a `run` whose result would arrive as something else, such as a Date or a Map. */
type ReturnsJson<Result> = [Result] extends [z.core.util.JSONType]
  ? unknown
  : [Result] extends [Carried<Result>]
    ? unknown
    : { run: 'JSON cannot carry this result' }

/** A task with its arguments, to be sent later or as part of something larger. */
export function signature<S extends z.ZodType, Result>(
  task: Task<S, Result>,
  args: z.input<S>,
  options?: SendOptions,
): Signature<Result> {
  return { task, args, ...(options && { options }) }
}
