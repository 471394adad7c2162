/** Fetching like a blocking `read` system call: the calling thread sleeps until the answer has arrived. */
import { once } from 'node:events'
import { receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { Fetched, RetryOptions } from './retry.ts'

export interface BlockingFetch extends AsyncDisposable {
  /** Fetches a page and returns what became of it. This thread handles no event before that. */
  fetchPage: (page: number) => Fetched
}

/** Node has no blocking network call, so a second thread fetches while the calling one sleeps. Starts that thread. */
export async function startBlockingFetch(url: string, { signal: _, ...options }: RetryOptions): Promise<BlockingFetch> {
  const flag = new Int32Array(new SharedArrayBuffer(4))
  const { port1, port2 } = new MessageChannel()
  const worker = new Worker(new URL('./blocking-fetch.worker.ts', import.meta.url), {
    workerData: { url, flag, options, port: port2 },
    transferList: [port2],
  })
  await once(worker, 'message')
  // Longer than all attempts and pauses together: if the other thread fails, this one must not sleep for ever.
  const attempts = options.retries + 1
  const mostMs = attempts * options.timeoutMs + options.backOffMs * 2 ** attempts + 10_000
  return {
    // #region block
    fetchPage(page) {
      Atomics.store(flag, 0, 0)
      port1.postMessage(page)
      if (Atomics.wait(flag, 0, 0, mostMs) === 'timed-out') throw new Error('the fetching thread does not answer')
      return receiveMessageOnPort(port1)?.message as Fetched
    },
    // #endregion block
    async [Symbol.asyncDispose]() {
      port1.close()
      await worker.terminate()
    },
  }
}
