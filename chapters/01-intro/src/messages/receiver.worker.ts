/** Runs as a worker thread and as a child process of the `messages` example: adds up what it is sent and answers. */
import { parentPort } from 'node:worker_threads'
import { ready } from '@repo/common/process/ready'
import { type Answer, type Request, sumOf } from './payload.ts'

if (parentPort) {
  const port = parentPort
  port.on('message', ({ data, giveBack }: Request) => {
    const answer: Answer = { sum: sumOf(data) }
    if (giveBack) port.postMessage({ ...answer, data }, [data.buffer as ArrayBuffer])
    else {
      free(data)
      port.postMessage(answer)
    }
  })
  port.postMessage('ready')
} else {
  process.on('message', ({ data }: Request) => {
    const answer: Answer = { sum: sumOf(data) }
    free(data)
    process.send?.(answer)
  })
  // The owner is gone.
  process.on('disconnect', () => process.exit())
  ready()
}

/**
 * Gives a copy's memory back at once: the garbage collector sees small objects and would let many large ones gather. What
 * came through a process's channel may lie in memory that the channel still reads from; that is left alone.
 */
function free({ buffer, byteLength }: Request['data']) {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
