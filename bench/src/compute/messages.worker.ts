/** The same tasks by hand: a thread that does the task of each message. */
import { parentPort } from 'node:worker_threads'
import work, { type Task } from './tasks.worker.ts'

parentPort?.on('message', (task: Task) => parentPort?.postMessage(work(task)))
