/** Who calls an object in another process: chapter 4's remote objects, Pyro, gRPC, capnweb alone, bare messages, bare TCP. */
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { fileURLToPath } from 'node:url'
import { credentials } from '@grpc/grpc-js'
import { startProgram, startServer } from '@repo/common/process/child'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { findPython, installPython } from '04-celery/celery/python'
import { newSecret } from '04-celery/remote/processes'
import { connect } from '04-celery/remote/remote'
import { newWebSocketRpcSession } from 'capnweb'
import { WebSocket } from 'ws'
import { startAsked } from '../harness/asked.ts'
import { versionOfLibrary } from '../harness/library.ts'
import type { ContenderOf } from '../harness/suite.ts'
import type { Served } from './server.program.ts'
import { grpcTexts, type Texts } from './texts.ts'

export interface Calls {
  text: string
  calls: number
  /** How many are under way at a time; 1 if each waits for the one before it. */
  atOnce: number
}

interface Called {
  /** Of all calls together. */
  ms: number
  /** What each call returned. */
  lengths: number[]
}

export type Contender = ContenderOf<AbortSignal, { call: (calls: Calls, signal: AbortSignal) => Promise<Called> }>

/** A client in this process: calls the object, and ends the connection. */
interface Client {
  length: (text: string) => PromiseLike<number>
  close: () => void
}

/** A contender with its server in a process of its own, and its client in this one. */
const inNode = (
  label: string,
  served: Served,
  library: string | undefined,
  open: (address: string, secret: string) => Promise<Client>,
): Contender => ({
  label,
  async start(signal) {
    const node = `Node ${process.versions.node}`
    const version = library === undefined ? node : `${library} ${await versionOfLibrary(library)}, ${node}`
    await using stack = new AsyncDisposableStack()
    const secret = newSecret()
    const program = new URL('./server.program.ts', import.meta.url)
    const options = { args: [served], env: { REMOTE_SECRET: secret }, signal }
    const server = stack.use(await startProgram<{ address: string }>(program, options))
    const { length, close } = await open(server.info.address, secret)
    stack.defer(async () => close())
    const owned = stack.move()
    return {
      version,
      // #region calls
      async call({ text, calls, atOnce }, stop) {
        const lengths: number[] = []
        const begin = performance.now()
        while (lengths.length < calls) {
          stop.throwIfAborted()
          if (atOnce === 1) lengths.push(await length(text))
          else {
            const more = Array.from({ length: Math.min(atOnce, calls - lengths.length) }, () => length(text))
            lengths.push(...(await Promise.all(more)))
          }
        }
        return { ms: performance.now() - begin, lengths }
      },
      // #endregion calls
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    }
  },
})

/** Pyro's daemon in one process, and its client in another. */
const inPython = (generation: 'Pyro4' | 'Pyro5'): Contender => ({
  label: `${generation.replace('Pyro', 'Pyro ')} (Python)`,
  async start(signal) {
    const python = await findPython(generation, signal)
    if (!python) throw new Error(`needs ${generation}: ${installPython[generation]}`)
    await using stack = new AsyncDisposableStack()
    const args = [fileURLToPath(new URL('./pyro.py', import.meta.url)), generation]
    let uri = ''
    const onLine = (line: string) => {
      if (line.startsWith('PYRO:')) uri = line
    }
    stack.use(await startServer({ command: python.command, args: [...args, 'serve'], ready: /^PYRO:/, signal, onLine }))
    const client = stack.use(startAsked(python.command, [...args, 'call', uri]))
    const owned = stack.move()
    return {
      version: python.version,
      call: ({ text: { length }, calls, atOnce }) => client.ask<Called>({ length, calls, atOnce }),
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    }
  },
})

/** Answers that come in the order of the calls, over a connection that may end before them. */
function inOrder(connection: NodeJS.EventEmitter) {
  const waiting: PromiseWithResolvers<number>[] = []
  let isOver = false
  connection.on('error', () => {})
  connection.once('close', () => {
    isOver = true
    for (const { reject } of waiting.splice(0)) reject(gone())
  })
  const gone = () => new Error('the connection has ended')
  return {
    next(): Promise<number> {
      if (isOver) throw gone()
      const answer = Promise.withResolvers<number>()
      waiting.push(answer)
      return answer.promise
    },
    take: (length: number) => waiting.shift()?.resolve(length),
  }
}

export const ours = inNode('chapter 4, remote objects', 'ours', 'capnweb', async (address, secret) => {
  const connection = await connect<Texts>(address, { secret })
  return { length: (text) => connection.remote.length(text), close: () => connection[Symbol.dispose]() }
})

export const pyro5 = inPython('Pyro5')
export const pyro4 = inPython('Pyro4')

const grpc = inNode('gRPC', 'grpc', '@grpc/grpc-js', async (address) => {
  // Not by way of a proxy that the environment may name.
  const options = { 'grpc.enable_http_proxy': 0 }
  const client = new (grpcTexts())(address, credentials.createInsecure(), options)
  return {
    length: (text) =>
      new Promise((resolve, reject) => {
        client.length?.({ text }, (error: Error | null, count: { length: number }) => {
          if (error) reject(error)
          else resolve(count.length)
        })
      }),
    close: () => client.close(),
  }
})

const capnweb = inNode('capnweb alone', 'capnweb', 'capnweb', async (address) => {
  const socket = new WebSocket(address, { perMessageDeflate: false })
  const remote = newWebSocketRpcSession<Texts>(socket as never)
  return { length: (text) => remote.length(text), close: () => remote[Symbol.dispose]() }
})

// #region websocket
const websocket = inNode('bare WebSocket messages', 'websocket', 'ws', async (address) => {
  const socket = new WebSocket(address, { perMessageDeflate: false })
  await once(socket, 'open')
  const answers = inOrder(socket)
  socket.on('message', (data) => answers.take(Number(data)))
  return {
    length(text) {
      const answer = answers.next()
      socket.send(text)
      return answer
    },
    close: () => socket.terminate(),
  }
})
// #endregion websocket

const limit = inNode('the limit: bare TCP', 'limit', undefined, async (address) => {
  const [host = '', port] = address.split(':')
  const socket = connectTcp({ host, port: Number(port), noDelay: true })
  await once(socket, 'connect')
  const answers = inOrder(socket)
  let rest = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk])
    let at = 0
    for (; at + 4 <= rest.length; at += 4) answers.take(rest.readUInt32BE(at))
    rest = rest.subarray(at)
  })
  return {
    length(text) {
      const answer = answers.next()
      // All calls of a turn of the event loop are written together.
      if (socket.writableCorked === 0) {
        socket.cork()
        process.nextTick(() => socket.uncork())
      }
      const size = Buffer.alloc(4)
      size.writeUInt32BE(text.length)
      socket.write(size)
      socket.write(text, 'latin1')
      return answer
    },
    close: () => socket.destroy(),
  }
})

export const contenders: Record<string, Contender> = { ours, pyro5, pyro4, grpc, capnweb, websocket, limit }
