/** A thread of `onThreads`: asks for one rate and ends. */
import { parentPort, workerData } from 'node:worker_threads'
import { fetchRate } from './rates.ts'

parentPort?.postMessage(await fetchRate(workerData.address, workerData.pair))
