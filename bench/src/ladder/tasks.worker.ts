/** A thread that does the tasks of messages: one task, or an array of them. */
import { parentPort } from 'node:worker_threads'
import { add, type Task } from './add.ts'

const answer = (message: Task | Task[]) =>
  Array.isArray(message[0]) ? (message as Task[]).map(([a, b]) => add(a, b)) : add(...(message as Task))

parentPort?.on('message', (message: Task | Task[]) => parentPort?.postMessage(answer(message)))
