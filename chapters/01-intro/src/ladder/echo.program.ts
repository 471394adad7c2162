/** Sends back what it gets, for the `latency` example: from its standard input, or with `tcp` from connections. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { ready } from '@repo/common/process/ready'

if (process.argv[2] === 'tcp') {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {}).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.on('disconnect', () => process.exit())
  ready(server.address())
} else {
  // Its input ends with the program that writes to it, and then so does this process.
  process.stdin.pipe(process.stdout)
}
