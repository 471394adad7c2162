/** Threads that pass items to each other, kept from one run to the next. */
import { once } from 'node:events'
import { MessageChannel, Worker } from 'node:worker_threads'
import type { RingJob, RingLog } from './ring.worker.ts'

export class RingThreads implements AsyncDisposable {
  readonly #threads: Worker[]

  constructor(count: number) {
    const file = new URL('./ring.worker.ts', import.meta.url)
    this.#threads = Array.from({ length: count }, () => new Worker(file, { execArgv: [] }))
  }

  /** Gives a thread a job. Fulfilled when the job is done. */
  async run(thread: number, job: RingJob): Promise<RingLog> {
    const worker = this.#threads[thread] as Worker
    const done = once(worker, 'message')
    worker.postMessage(job, 'port' in job ? [job.port] : [])
    return (await done)[0] as RingLog
  }

  /**
   * Passes items from thread 0 to thread 1 by postMessage, `batch` items in each message. Returns the receiver's log.
   */
  async post(items: number, batch: number): Promise<RingLog> {
    const { port1, port2 } = new MessageChannel()
    const receiving = this.run(1, { do: 'receive', port: port2, items })
    await this.run(0, { do: 'post', port: port1, items, batch })
    return await receiving
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()))
  }
}
