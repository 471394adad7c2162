/**
 * Sends back what it gets, for the `latency` example: as a worker thread its messages and its wake-ups, as a process with
 * the argument `pipe` its standard input, with `tcp` what comes through connections.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { parentPort } from 'node:worker_threads'
import { ready } from '@repo/common/process/ready'
import { answerWakeUps, type WakeUps } from './wakeups.ts'

if (parentPort) {
  const port = parentPort
  port.on('message', (message: unknown) => {
    if (message instanceof Object && 'turn' in message) answerWakeUps(message as WakeUps)
    else port.postMessage(message)
  })
  port.postMessage('ready')
} else if (process.argv[2] === 'tcp') {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {}).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.on('disconnect', () => process.exit())
  ready(server.address())
} else {
  // Ends with its input, and so with the program that writes to it.
  process.stdin.pipe(process.stdout)
}
