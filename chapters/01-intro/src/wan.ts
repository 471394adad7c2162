/** A wide-area network in this process: simulated, the distance is a timer. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Wan extends AsyncDisposable {
  /** Where to connect instead of to the server itself, on the loopback interface. */
  port: number
}

/**
 * Starts a proxy before a server on this machine that hands everything on `oneWayMs` later, in both directions and in
 * order. Bandwidth is not limited, and nothing is lost.
 */
export async function startWan(serverPort: number, oneWayMs: number): Promise<Wan> {
  const sockets = new Set<Socket>()
  const keep = (socket: Socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)))
    return socket.setNoDelay()
  }
  // Half open: the end of one direction is handed on like its bytes, while the other one still has some under way.
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const far = keep(connect({ port: serverPort, host: '127.0.0.1', allowHalfOpen: true }))
    delay(keep(client), far, oneWayMs)
    delay(far, client, oneWayMs)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Timers of one length fire in the order in which they were set, so the bytes keep theirs. */
function delay(from: Socket, to: Socket, ms: number) {
  from.on('data', (data) => void setTimeout(() => to.write(data), ms))
  from.on('end', () => void setTimeout(() => to.end(), ms))
}
