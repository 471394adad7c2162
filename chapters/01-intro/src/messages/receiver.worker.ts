/** A thread of the `messages` example: adds up what it is sent and answers with the sum. */
import { parentPort } from 'node:worker_threads'
import { type Answer, free, type Request, sumOf } from './payload.ts'

// #region receive
parentPort?.on('message', ({ data, giveBack = false }: Request) => {
  const answer: Answer = { sum: sumOf(data) }
  if (giveBack) parentPort?.postMessage({ ...answer, data }, [data.buffer as ArrayBuffer])
  else {
    free(data)
    parentPort?.postMessage(answer)
  }
})
// #endregion receive
parentPort?.postMessage('ready')
