/** The other side of each rung of the ladder: threads, processes and servers that answer at once. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { startProgram } from '@repo/common/process/child'
import { startProxy } from '@repo/common/servers/proxy'
import { findRedisServer, startRedis } from '@repo/common/servers/redis'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { Redis } from 'ioredis'
import type { Turn } from './wake-up.ts'

export interface Peers extends AsyncDisposable {
  /** A thread that answers `wakeUp(turn)`. */
  turn: Turn
  /** A thread that sends every message back. */
  worker: Worker
  /** The standard input and output of a process that sends everything back. */
  pipe: { stdin: Writable; stdout: Readable }
  /** A connection on loopback to a process that sends everything back. */
  near: Socket
  /** Connections to the same process over a simulated wide-area network. */
  far: Socket[]
  /** Undefined where no Redis server is installed. */
  redis: Redis | undefined
}

/** The simulated distance: 100 ms there and back, about from Europe to the east of North America. */
const farOneWayMs = 50
const farConnections = 20

/** Starts all peers; disposing of them ends them. Throws when one cannot be started. */
export async function startPeers(signal?: AbortSignal): Promise<Peers> {
  await using stack = new AsyncDisposableStack()
  const startThread = async (file: string, workerData?: Turn) => {
    const thread = new Worker(new URL(file, import.meta.url), { workerData })
    stack.defer(async () => void (await thread.terminate()))
    await once(thread, 'message', { signal })
    return thread
  }
  const turn: Turn = new Int32Array(new SharedArrayBuffer(4))
  await startThread('./wake-up.worker.ts', turn)
  const worker = await startThread('./echo.worker.ts')

  const program = new URL('./echo.program.ts', import.meta.url)
  // Plain Node, without a loader: its input and output carry nothing but the echo.
  const pipe = spawn(process.execPath, [fileURLToPath(program)], { stdio: ['pipe', 'pipe', 'ignore'] })
  await once(pipe, 'spawn')
  stack.defer(async () => {
    const exited = pipe.exitCode === null && pipe.signalCode === null ? once(pipe, 'exit') : undefined
    pipe.kill()
    await exited
  })
  for (const source of [pipe, pipe.stdin]) source.on('error', () => {})

  const tcp = stack.use(await startProgram<{ port: number }>(program, { args: ['tcp'], signal }))
  const open = async (port: number) => {
    const socket = stack.adopt(connect({ port, host: '127.0.0.1', noDelay: true }), (socket) => void socket.destroy())
    await once(socket, 'connect', { signal })
    // A caller that waits for an answer learns of the end from 'close'. While all peers end, nobody waits.
    return socket.on('error', () => {})
  }
  const near = await open(tcp.info.port)
  const proxy = stack.use(await startProxy({ port: tcp.info.port, delayMs: farOneWayMs, signal }))
  const far: Socket[] = []
  while (far.length < farConnections) far.push(await open(proxy.port))

  let redis: Redis | undefined
  if (process.env.REDIS_URL || (await findRedisServer())) {
    const server = stack.use(await startRedis({ signal }))
    // No reconnecting: a server that has gone does not come back.
    redis = stack.adopt(new Redis(server.url, { retryStrategy: () => null }), (client) => client.disconnect())
    redis.on('error', () => {})
    await redis.ping()
  }

  const owned = stack.move()
  return { turn, worker, pipe, near, far, redis, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** Sends a message to a thread that sends it back; resolves with the answer. */
export function answerOf(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.once('message', (answer) => {
      worker.off('error', reject)
      resolve(answer)
    })
    worker.postMessage('there')
  })
}

const question = Buffer.alloc(64, 'x')

/** Writes 64 bytes and waits until as many have come back; rejects when the other side has gone. */
export function echo(output: Writable, input: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    let missing = question.length
    const gone = () => reject(new Error('the other side of a connection has gone'))
    input.once('close', gone)
    input.on('data', function receive(data: Buffer) {
      missing -= data.length
      if (missing > 0) return
      input.off('data', receive).off('close', gone)
      resolve()
    })
    output.write(question)
  })
}
