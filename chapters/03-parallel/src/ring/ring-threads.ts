/** Threads that produce and consume, kept from one run to the next. */
import { once } from 'node:events'
import { MessageChannel, Worker } from 'node:worker_threads'
import { Ring, ringMemory } from './ring.ts'
import { itemBytes, type RingJob, type RingLog, type Seen } from './ring.worker.ts'

export interface RingRun {
  producers: number
  consumers: number
  /** For each producer. */
  items: number
  /** Slots of the ring. */
  capacity: number
  /** Count how often each item is taken. */
  check?: boolean
}

export interface RingResult {
  ms: number
  taken: number
  /** Items that came out damaged or out of order. */
  wrong: number
  /** Items that came out more or less often than once; only when checked. */
  lostOrDoubled: number
}

export class RingThreads implements AsyncDisposable {
  readonly #threads: Worker[]

  constructor(count: number) {
    const file = new URL('./ring.worker.ts', import.meta.url)
    this.#threads = Array.from({ length: count }, () => new Worker(file, { execArgv: [] }))
  }

  /** Gives a thread a job; fulfilled when it is done. */
  async run(thread: number, job: RingJob): Promise<RingLog> {
    const worker = this.#threads[thread] as Worker
    const done = once(worker, 'message')
    worker.postMessage(job, 'port' in job ? [job.port] : [])
    return (await done)[0] as RingLog
  }

  /** Has items pass from producers to consumers through a ring; closes it behind the last. */
  async pass({ producers, consumers, items, capacity, check }: RingRun): Promise<RingResult> {
    const memory = ringMemory(capacity, itemBytes)
    const seen: Seen | undefined = check
      ? { counts: new Int32Array(new SharedArrayBuffer(4 * producers * items)), items }
      : undefined
    const begin = performance.now()
    const consuming = Array.from({ length: consumers }, (_, at) =>
      this.run(producers + at, { do: 'consume', memory, seen }),
    )
    const producing = Array.from({ length: producers }, (_, producer) =>
      this.run(producer, { do: 'produce', memory, producer, items }),
    )
    await Promise.all(producing)
    new Ring(memory).close()
    const logs = await Promise.all(consuming)
    return {
      ms: performance.now() - begin,
      taken: logs.reduce((sum, log) => sum + log.items, 0),
      wrong: logs.reduce((sum, log) => sum + log.wrong, 0),
      lostOrDoubled: seen ? seen.counts.reduce((sum, times) => sum + Number(times !== 1), 0) : 0,
    }
  }

  /** Has items pass from one thread to another by postMessage, `batch` of them in each message. */
  async post(items: number, batch: number): Promise<RingResult> {
    const { port1, port2 } = new MessageChannel()
    const begin = performance.now()
    const receiving = this.run(1, { do: 'receive', port: port2, items })
    await this.run(0, { do: 'post', port: port1, items, batch })
    const { items: taken, wrong } = await receiving
    return { ms: performance.now() - begin, taken, wrong, lostOrDoubled: 0 }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()))
  }
}
