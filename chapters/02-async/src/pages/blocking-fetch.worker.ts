/** Fetches pages for a thread that stands still meanwhile: that thread sleeps until `flag` changes. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { type FetchOptions, fetchPage } from './fetch-page.ts'

interface Task {
  url: string
  flag: Int32Array
  options: FetchOptions
  port: MessagePort
}

const { url, flag, options, port } = workerData as Task

port.on('message', async (page: number) => {
  port.postMessage(await fetchPage(url, page, options))
  Atomics.store(flag, 0, 1)
  Atomics.notify(flag, 0)
})
// The first request costs more than the others: it loads the client.
await (await fetch(`${url}/open`)).text()
parentPort?.postMessage('ready')
