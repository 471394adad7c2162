/** A thread that counts the words of its texts whenever it gets a message. */
import { parentPort, workerData } from 'node:worker_threads'
import { countWordsInSteps, runAtOnce } from './words.ts'

const texts = workerData as string[]
parentPort?.on('message', () => parentPort?.postMessage(runAtOnce(countWordsInSteps(texts))))
