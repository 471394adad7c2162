/** The thread that is woken in the `latency` example. It reports once that it is ready, then only sleeps and wakes. */
import { parentPort, workerData } from 'node:worker_threads'
import { answerWakeUps, type Turn } from './wake-up.ts'

parentPort?.postMessage('ready')
answerWakeUps(workerData as Turn)
