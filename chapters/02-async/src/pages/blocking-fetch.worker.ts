/** A thread that fetches pages for another one, which sleeps until `flag` changes. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { type RetryOptions, retry, sizeOf } from './retry.ts'

interface Task {
  url: string
  flag: Int32Array
  options: RetryOptions
  port: MessagePort
}

const { url, flag, options, port } = workerData as Task

port.on('message', async (page: number) => {
  const fetched = await retry(async (attempt, signal) => {
    return await sizeOf(await fetch(`${url}/pages/${page}/${attempt}`, { signal }))
  }, options)
  port.postMessage(fetched)
  Atomics.store(flag, 0, 1)
  Atomics.notify(flag, 0)
})
// The first request takes longer than the others: it loads the client.
await (await fetch(`${url}/open`)).text()
parentPort?.postMessage('ready')
