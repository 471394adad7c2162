/** Clients of the line server. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { quantile } from '@repo/common/measure'
import { DisposableStack } from '@whatwg-node/disposablestack'
import { LineSplitter } from '../grep/lines.ts'

export interface Load {
  port: number
  /** How many clients there are. Each asks, waits for the answer, and asks again. */
  clients: number
  durationMs: number
}

/** What the clients ask for. One of these words does not occur. */
const words = ['whale', 'ship', 'sea', 'ahab', 'captain', 'queequeg', 'white', 'zebra']

export interface LoadResult {
  /** Requests answered. */
  requests: number
  /** Answers for a word other than the requested one; anything but 0 is a bug. */
  wrong: number
  perSecond: number
  /** The latencies' median and 99th percentile. */
  p50Ms: number
  p99Ms: number
  /** The same for `ping`, which needs no look-up. One more client sends it every few milliseconds. */
  pingP50Ms: number
  pingP99Ms: number
}

/** Puts a load on the server for a while and returns what the clients measured. */
export async function putLoad({ port, clients, durationMs }: Load): Promise<LoadResult> {
  const latencies: number[] = []
  const pings: number[] = []
  let wrong = 0
  using stack = new DisposableStack()
  const open = async () => stack.use(await openConnection(port))
  // All connections are open before the clock starts.
  const connections = await Promise.all(Array.from({ length: clients }, open))
  const forPings = await open()
  const start = performance.now()
  const end = start + durationMs

  async function client(connection: Connection, first: number) {
    for (let at = first; performance.now() < end; at++) {
      const word = words[at % words.length] ?? ''
      const asked = performance.now()
      const answer = await connection.ask(word)
      latencies.push(performance.now() - asked)
      if (!answer.startsWith(`${word} `)) wrong++
    }
  }
  async function pinger() {
    while (performance.now() < end) {
      const asked = performance.now()
      if ((await forPings.ask('ping')) !== 'pong') wrong++
      pings.push(performance.now() - asked)
      await delay(5)
    }
  }
  await Promise.all([...connections.map(client), pinger()])
  return {
    requests: latencies.length,
    wrong,
    perSecond: (1000 * latencies.length) / (performance.now() - start),
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    pingP50Ms: quantile(pings, 0.5),
    pingP99Ms: quantile(pings, 0.99),
  }
}

export interface Connection extends Disposable {
  /** Sends a line and returns the next line that comes back. One question at a time. */
  ask: (line: string) => Promise<string>
}

/** Opens a connection to a line server on this machine. */
export async function openConnection(port: number): Promise<Connection> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  return askOver(socket)
}

function askOver(socket: Socket): Connection {
  const splitter = new LineSplitter()
  let waiting: PromiseWithResolvers<string> | undefined
  socket.setEncoding('utf8')
  socket.on('data', (piece: string) => {
    for (const line of splitter.push(piece)) waiting?.resolve(line)
  })
  // If no question waits for its answer, the next one will find the connection closed.
  socket.on('error', () => {})
  socket.on('close', () => waiting?.reject(new Error('the server closed the connection')))
  return {
    async ask(line) {
      if (socket.destroyed) throw new Error('the server closed the connection')
      waiting = Promise.withResolvers()
      socket.write(`${line}\n`)
      return await waiting.promise
    },
    // A connection that is closed in the ordinary way keeps its port for a minute. Ten thousand would use up the ports.
    [Symbol.dispose]: () => void socket.resetAndDestroy(),
  }
}

/** Opens many connections, a few hundred at a time; calls `onOpen` with the number that are open. */
export async function openMany(port: number, total: number, onOpen: (open: number) => void): Promise<Connection[]> {
  const connections: Connection[] = []
  while (connections.length < total) {
    const batch = Math.min(250, total - connections.length)
    connections.push(...(await Promise.all(Array.from({ length: batch }, () => openConnection(port)))))
    onOpen(connections.length)
  }
  return connections
}
