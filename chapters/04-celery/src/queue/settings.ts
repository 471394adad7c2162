/** What sender and worker must agree on: where Redis is, which prefix its keys have, and which queues are special. */
import type { RateLimit } from './task.ts'

export interface Settings {
  /** `redis://` or `rediss://`. */
  url: string
  /** For `rediss://`: the PEM certificate of the authority that issued the server's. Default: those Node trusts. */
  ca?: string
  /** Every key begins with it; systems with different prefixes share nothing. Default: `celery`. */
  prefix?: string
  /** Queues with settings of their own, by name. */
  queueSettings?: Record<string, QueueSettings>
}

export interface QueueSettings {
  /**
   * Runs the queue's tasks in the order of their priorities. BullMQ runs jobs without a priority before all that have
   * one, so every task in such a queue gets one, and any other queue refuses tasks with one.
   */
  priorities?: boolean
  /** For all tasks of this queue together, across all workers: BullMQ's limiter. */
  rateLimit?: RateLimit
}

export const defaultPrefix = 'celery'
export const defaultQueue = 'default'

const day = 24 * 3600
/** Seconds that Redis keeps the result of a task, or a failed task for inspection and retry. */
export const keptSeconds = { succeeded: day, failed: 14 * day }

/** A hundred years. No task waits longer, and every moment is still a Date. */
export const longestMs = 100 * 365 * day * 1_000
