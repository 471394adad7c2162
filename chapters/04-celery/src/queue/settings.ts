/** What sender and worker must agree on: where Redis is, under which prefix, and which queues are more than plain ones. */
import type { RateLimit } from './task.ts'

export interface Settings {
  /** `redis://` or `rediss://`. */
  url: string
  /** With `rediss://`: the certificate, as PEM, of who signed the server's; when not given, one of those that Node knows. */
  ca?: string
  /** Begins every key; two prefixes share nothing. `celery`. */
  prefix?: string
  /** Queues that are more than a plain queue, by their names. */
  queueSettings?: Record<string, QueueSettings>
}

export interface QueueSettings {
  /**
   * Its tasks run in the order of their priorities. BullMQ runs jobs without a priority before all that have one; so in such
   * a queue every task gets one, and in any other queue a task with one is refused.
   */
  priorities?: boolean
  /** Of all tasks of this queue together, over all workers: BullMQ's limiter. */
  rateLimit?: RateLimit
}

export const defaultPrefix = 'celery'
export const defaultQueue = 'default'

const day = 24 * 3600
/** Seconds for which the result of a task is kept, and for which a failed one can be looked at and sent again. */
export const keptSeconds = { succeeded: day, failed: 14 * day }
