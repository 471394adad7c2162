/** Counts the words of its texts on a thread of its own, whenever it is told to. */
import { parentPort, workerData } from 'node:worker_threads'
import { countWordsInSteps, runAtOnce } from './words.ts'

const texts = workerData as string[]
parentPort?.on('message', () => parentPort?.postMessage(runAtOnce(countWordsInSteps(texts))))
