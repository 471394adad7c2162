/** What a blocking `read` of an operating system is like: the thread that asks stands still until the answer is there. */
import { once } from 'node:events'
import { receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { FetchOptions, Page } from './fetch-page.ts'

export interface BlockingFetch extends AsyncDisposable {
  /** Fetches a page and returns it. No event of this thread is handled before that. */
  fetchPage: (page: number) => Page
}

/** Starts the thread that does the fetching while the calling one is blocked; Node has no network call that blocks. */
export async function startBlockingFetch(url: string, { signal: _, ...options }: FetchOptions): Promise<BlockingFetch> {
  const flag = new Int32Array(new SharedArrayBuffer(4))
  const { port1, port2 } = new MessageChannel()
  const worker = new Worker(new URL('./blocking-fetch.worker.ts', import.meta.url), {
    workerData: { url, flag, options, port: port2 },
    transferList: [port2],
  })
  await once(worker, 'message')
  // More than all attempts and pauses together: a thread that has failed must not leave this one asleep for ever.
  const attempts = options.retries + 1
  const mostMs = attempts * options.timeoutMs + options.backOffMs * 2 ** attempts + 10_000
  return {
    fetchPage(page) {
      Atomics.store(flag, 0, 0)
      port1.postMessage(page)
      if (Atomics.wait(flag, 0, 0, mostMs) === 'timed-out') throw new Error('the fetching thread does not answer')
      return receiveMessageOnPort(port1)?.message as Page
    },
    async [Symbol.asyncDispose]() {
      port1.close()
      await worker.terminate()
    },
  }
}
