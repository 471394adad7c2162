/** Serves the texts on a free loopback port, in the way that its argument names. REMOTE_SECRET has the secret of ours. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { ready } from '@repo/common/process/ready'
import { serveObject } from '04-celery/remote/daemon'
import { newWebSocketRpcSession } from 'capnweb'
import { type WebSocket, WebSocketServer } from 'ws'
import { grpcTexts, Texts } from './texts.ts'

const host = '127.0.0.1'
const texts = new Texts()

async function serveSockets(open: (socket: WebSocket) => void) {
  const server = new WebSocketServer({ host, port: 0 })
  server.on('connection', open)
  await once(server, 'listening')
  return `ws://${host}:${(server.address() as AddressInfo).port}`
}

const servers = {
  async ours() {
    const { address } = await serveObject(() => new Texts(), { secret: process.env.REMOTE_SECRET ?? '' })
    return address
  },
  async grpc() {
    const server = new Server()
    server.addService(grpcTexts().service, {
      length: ({ request }: { request: { text: string } }, answer: (error: null, count: object) => void) =>
        answer(null, { length: texts.length(request.text) }),
    })
    const credentials = ServerCredentials.createInsecure()
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(`${host}:0`, credentials, (error, port) => (error ? reject(error) : resolve(port))),
    )
    return `${host}:${port}`
  },
  capnweb: () => serveSockets((socket) => newWebSocketRpcSession(socket as never, new Texts())),
  websocket: () =>
    serveSockets((socket) => socket.on('message', (text) => socket.send(String(texts.length(text.toString()))))),
  async limit() {
    const server = createServer((socket) => {
      socket.setNoDelay()
      const size = Buffer.alloc(4)
      let known = 0
      let missing = 0
      socket.on('data', (chunk) => {
        socket.cork()
        for (let at = 0; at < chunk.length; ) {
          // A chunk ends anywhere, even within the size.
          const taken = known < 4 ? chunk.copy(size, known, at) : Math.min(missing, chunk.length - at)
          at += taken
          if (known < 4) {
            known += taken
            if (known === 4) missing = size.readUInt32BE()
          } else missing -= taken
          if (known === 4 && missing === 0) {
            socket.write(Buffer.from(size))
            known = 0
          }
        }
        socket.uncork()
      })
      socket.on('error', () => {})
    }).listen(0, host)
    await once(server, 'listening')
    return `${host}:${(server.address() as AddressInfo).port}`
  },
}

export type Served = keyof typeof servers

ready({ address: await servers[process.argv[2] as Served]() })
