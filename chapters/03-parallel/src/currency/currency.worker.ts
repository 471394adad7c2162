/** A thread of `onThreads`: asks for one rate, posts it, and ends. */
import { parentPort, workerData } from 'node:worker_threads'
import { fetchRate } from './rates.ts'

parentPort?.postMessage(await fetchRate(workerData.address, workerData.pair))
