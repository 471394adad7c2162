/** One call of a task, as the code around it sees it: the middleware, and the log. */
import type { Job } from 'bullmq'
import type { Client } from '../queue/client.ts'
import type { Message } from '../queue/message.ts'
import type { Task, TaskContext } from '../queue/task.ts'

export interface Call {
  job: Job<Message>
  task: Task
  /** The raw arguments, before they are checked; middleware may replace them. */
  args: unknown
  context: TaskContext
  /** Whether this is the last try that the task's retries allow. */
  isLastTry: boolean
  /** Whether this error is final: the task will not be retried after it. */
  isFinal: (error: Error) => boolean
  /** For sending further tasks. With ids derived from this task's, they are sent once, however often it runs. */
  client: Client
}

/**
 * Wraps every task of a worker: it does something, calls `next`, and does something more. What it returns is the
 * result, and what it throws fails the task. The job is acknowledged after the outermost middleware has returned.
 */
export type Middleware = (call: Call, next: () => Promise<unknown>) => Promise<unknown>

/** The part of a pino logger that a worker uses. */
export type Log = Record<'debug' | 'info' | 'warn' | 'error', (about: object, message: string) => void>
