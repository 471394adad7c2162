/**
 * What a task is: a name, a version, a schema of its arguments, a function, and how it wants to be run.
 *
 *     export const add = defineTask({
 *       name: 'add',
 *       args: z.object({ a: z.number(), b: z.number() }),
 *       run: ({ a, b }) => a + b,
 *     })
 *
 * Sender and worker import the same definition, as Celery's do. The sender uses its name, version and schema; only the
 * worker calls `run`.
 */
import type { Redis } from 'ioredis'
import type { z } from 'zod'

/** How a failed task is tried again, with exponential back-off and jitter; see retry.ts. */
export interface RetryPolicy {
  /** How many times after the first. */
  max: number
  /** The longest wait before the first retry; it doubles with each one. 1 s. */
  baseMs?: number
  /** No wait is longer than this. 10 minutes. */
  maxMs?: number
  /** Whether a wait is drawn at random between 0 and its length, so that tasks that failed together do not return together; true. */
  jitter?: boolean
  /** Which errors are worth another try; all when not given. */
  when?: (error: Error) => boolean
}

/** How a task wants to be run; most of it may be overridden by what is sent. */
export interface TaskOptions {
  /** Where it goes when neither the call nor a route says; `default`. */
  queue?: string
  /** None when not given: an exception fails the task at once. */
  retries?: RetryPolicy
  /** From 1, first, to 9, last; 5 when not given. Only for queues with `priorities`, see `QueueSettings`. */
  priority?: number
  /** A task that no worker has begun so long after it was sent is not begun at all. */
  expiresInMs?: number
  /** When `context.signal` is aborted, so that the task can stop in order. */
  softLimitMs?: number
  /** When the worker stops waiting for the task and fails it; see limits.ts for what then becomes of it. */
  hardLimitMs?: number
  /** Keeps nothing of a task that succeeded. What fails is kept in any case. */
  ignoreResult?: boolean
  /** The size of the arguments as JSON that is still sent; the client's `maxPayloadBytes` when not given. A worker takes any. */
  maxPayloadBytes?: number
  /** At most `max` starts in `perMs` milliseconds, one of them late by less than `perMs / max`, over all workers; see rate-limit.ts. */
  rateLimit?: RateLimit
}

export interface RateLimit {
  max: number
  perMs: number
}

/** What a running task knows and may do beside its arguments. */
export interface TaskContext {
  id: string
  /** The name of the task, the queue it came from, the worker that runs it. */
  task: string
  queue: string
  worker: string
  /** 1 for the first try. */
  attempt: number
  /** Aborted when the task is revoked, exceeds its soft or hard limit, or must be given back because the worker ends. */
  readonly signal: AbortSignal
  /** Tells whoever watches how far it is; read it with `result.progress()`. */
  progress: (value: number | object) => Promise<void>
  /** A connection to the worker's Redis, not the queue's own: large values on that would hold up the locks. For data beside the queue. */
  readonly redis: Redis
}

/** A task as sender and worker share it. `S` is the schema of its arguments. */
export interface Task<S extends z.ZodType = z.ZodType, Result = unknown> extends TaskOptions {
  name: string
  /** Raise it when older workers must not run what newer senders send. */
  version: number
  args: S
  /** Missing in a program that only sends. Returns what JSON can carry. */
  run?(args: z.output<S>, context: TaskContext): Result | Promise<Result>
}

/** A task with its arguments, not yet sent: Celery's signature. */
export interface Signature<Result = unknown> {
  task: Task<z.ZodType, Result>
  args: unknown
  options?: SendOptions
  /** The argument that is still missing: the result of what comes before it in a canvas. See canvas.ts. */
  into?: string
  /** `args` is a list: the task is run once for each of them, in one message. */
  map?: true
  /** Sent when it has succeeded, or has failed for good. */
  links?: Signature[]
  errorLinks?: Signature[]
}

/** What may be said of one call; overrides what the task's definition says. */
export interface SendOptions
  extends Pick<TaskOptions, 'queue' | 'priority' | 'expiresInMs' | 'softLimitMs' | 'hardLimitMs' | 'ignoreResult'> {
  /** Not before this long from now. */
  countdownMs?: number
  /** Not before this moment. */
  eta?: Date
  /** How often it is tried again; the other parts of the policy are the definition's. */
  maxRetries?: number
  /**
   * Two calls with the same key, queue and task are one task: the second returns the result of the first. It holds for as
   * long as that is kept: a day after its success, two weeks after its failure.
   */
  idempotencyKey?: string
  /** Whatever middleware of the worker wants to find beside the arguments. */
  headers?: Record<string, unknown>
}

/** Defines a task; its version is 1 when not given. */
export function defineTask<S extends z.ZodType, Result>(
  definition: Omit<Task<S, Result>, 'version'> & { version?: number },
): Task<S, Result> {
  return { version: 1, ...definition }
}

/** A task with its arguments, to be sent later or as part of something larger. */
export function signature<S extends z.ZodType, Result>(
  task: Task<S, Result>,
  args: z.input<S>,
  options?: SendOptions,
): Signature<Result> {
  return { task, args, ...(options && { options }) }
}
