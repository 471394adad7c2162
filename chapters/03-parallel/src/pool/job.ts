/** A task that was handed to a pool, until it has a result: from its worker, or because nobody waits for it any longer. */
import type { Reply } from './workers.ts'

export interface TaskOptions {
  /**
   * Cancels the task: a queued one is never started, a running one is ended together with its worker. To stop thousands
   * at once, dispose of the pool: a signal looks through all its listeners for each one that is added.
   */
  signal?: AbortSignal | undefined
  /** The longest time its work may take; a worker that is new has to start in it, too. */
  timeoutMs?: number | undefined
  /** Called when a worker is given the task. */
  onStart?: (() => void) | undefined
}

export class Job {
  readonly task: unknown
  readonly result: Promise<unknown>
  /** Settles the result, once; what comes later is ignored. */
  readonly settle: (reply: Reply) => void
  isSettled = false
  readonly #options: TaskOptions
  #deadline: NodeJS.Timeout | undefined

  constructor(task: unknown, options: TaskOptions, onSettled: () => void) {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const { signal } = options
    const abort = signal && (() => this.settle({ error: signal.reason }))
    if (abort) signal.addEventListener('abort', abort)
    this.task = task
    this.result = promise
    this.#options = options
    this.settle = (reply) => {
      if (this.isSettled) return
      this.isSettled = true
      clearTimeout(this.#deadline)
      if (abort) signal.removeEventListener('abort', abort)
      if ('error' in reply) reject(reply.error)
      else resolve(reply.value)
      onSettled()
    }
  }

  /** A worker has it from now on. */
  start(): void {
    const { timeoutMs, onStart } = this.#options
    if (timeoutMs !== undefined) {
      const late = () => new DOMException(`no result within ${timeoutMs} ms: its worker was stopped`, 'TimeoutError')
      this.#deadline = setTimeout(() => this.settle({ error: late() }), timeoutMs)
    }
    onStart?.()
  }
}
