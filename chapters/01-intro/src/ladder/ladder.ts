/**
 * The ladder of latencies: how long it takes to have something done and know that it was, from a function call to another
 * continent. Each rung measures itself; none of them prepares anything while it is timed.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { setImmediate as onNextTurn } from 'node:timers'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { startProgram } from '@repo/common/process/child'
import { startProxy } from '@repo/common/servers/proxy'
import { findRedisServer, installRedis, startRedis } from '@repo/common/servers/redis'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { Redis } from 'ioredis'
import { askWakeUps } from './wakeups.ts'

export interface Rung {
  name: string
  /** How many in a row make one sample, where one alone would be shorter than the clock can tell. */
  batch: number
  /** Takes so many samples, each in nanoseconds for one. */
  measure: (samples: number) => Promise<number[]>
  /** Of this rung one sample is taken where others give so many: it takes longer. */
  share: number
}

export interface Ladder extends AsyncDisposable {
  rungs: Rung[]
  /** Rungs that this machine does not have, and how to get them. */
  missing: string[]
}

/** The simulated distance: there and back in 100 ms, about from Europe to the east of North America. */
const wanOneWayMs = 50
const wanConnections = 20

/** Starts what the rungs need: a thread, two processes, a Redis server where there is one. */
export async function startLadder(signal?: AbortSignal): Promise<Ladder> {
  await using stack = new AsyncDisposableStack()
  const file = new URL('./echo.worker.ts', import.meta.url)

  const worker = stack.adopt(new Worker(file), async (worker) => void (await worker.terminate()))
  await once(worker, 'message', { signal })
  const turn = new Int32Array(new SharedArrayBuffer(4))

  const pipe = stack.adopt(await startPipe(file), async (child) => {
    const exited = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
    child.kill()
    await exited
  })

  const tcp = stack.use(await startProgram<{ port: number }>(file, { args: ['tcp'], signal }))
  const open = async (port: number) => {
    const socket = stack.adopt(connect({ port, host: '127.0.0.1', noDelay: true }), (socket) => void socket.destroy())
    await once(socket, 'connect', { signal })
    return socket
  }
  const near = await open(tcp.info.port)
  const wan = stack.use(await startProxy({ port: tcp.info.port, delayMs: wanOneWayMs, signal }))
  const far: Socket[] = []
  while (far.length < wanConnections) far.push(await open(wan.port))

  const rungs: Rung[] = [
    { name: 'function call', share: 10, ...inBatches(100_000, callFunctions, signal) },
    { name: 'microtask', share: 10, ...inBatches(1_000, awaitNothing, signal) },
    { name: 'setImmediate', share: 1, ...inBatches(10, nextTurns, signal) },
    {
      name: 'Atomics wake-up, thread and back',
      batch: 1,
      share: 1,
      async measure(samples) {
        const times: number[] = []
        while (times.length < samples) {
          await setImmediate(undefined, { signal })
          const wakeUps = { turn, times: Math.min(breathEvery, samples - times.length) }
          worker.postMessage(wakeUps)
          times.push(...askWakeUps(wakeUps))
        }
        return times
      },
    },
    { name: 'message, thread and back', ...roundTrips(() => answerOf(worker), signal) },
    { name: 'pipe, process and back', ...roundTrips(() => echo(pipe.stdin, pipe.stdout), signal) },
    { name: 'TCP on loopback and back', ...roundTrips(() => echo(near, near), signal) },
  ]
  const missing: string[] = []
  if (process.env.REDIS_URL || (await findRedisServer())) {
    const redis = stack.use(await startRedis({ signal }))
    // Without a second attempt: a server that is gone does not come back.
    const client = stack.adopt(new Redis(redis.url, { retryStrategy: () => null }), (client) => client.disconnect())
    client.on('error', () => {})
    await client.ping()
    rungs.push({ name: 'Redis PING', ...roundTrips(() => client.ping(), signal) })
  } else missing.push(`Redis PING: install a server with ${installRedis}`)
  rungs.push({
    name: 'wide-area network (simulated)',
    batch: 1,
    share: 50,
    async measure(samples) {
      // They only wait: all connections wait at once.
      const each = far.map(
        async (socket) => await timed(Math.ceil(samples / far.length), () => echo(socket, socket), signal),
      )
      return (await Promise.all(each)).flat()
    },
  })

  const owned = stack.move()
  return { rungs, missing, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function startPipe(file: URL) {
  // Plain Node, without the program's loaders; what goes through it are its input and output.
  const child = spawn(process.execPath, [fileURLToPath(file), 'pipe'], { stdio: ['pipe', 'pipe', 'ignore'] })
  await once(child, 'spawn')
  child.stdin.on('error', () => {})
  child.on('error', () => {})
  return child
}

function roundTrips(trip: () => Promise<unknown>, signal?: AbortSignal) {
  return { batch: 1, share: 1, measure: (samples: number) => timed(samples, trip, signal) }
}

function inBatches(batch: number, run: (times: number) => unknown, signal?: AbortSignal) {
  async function measure(samples: number) {
    const times = await timed(samples, async () => await run(batch), signal)
    return times.map((ns) => ns / batch)
  }
  return { batch, measure }
}

/** Lets Ctrl-C be heard, and what waits for the event loop have its turn. */
const breathEvery = 100

async function timed(samples: number, trip: () => Promise<unknown>, signal?: AbortSignal): Promise<number[]> {
  const times: number[] = []
  while (times.length < samples) {
    if (times.length % breathEvery === 0) await setImmediate(undefined, { signal })
    const begin = process.hrtime.bigint()
    await trip()
    times.push(Number(process.hrtime.bigint() - begin))
  }
  return times
}

/** A function that calls itself: the one kind of call for which the compiler never puts the function in place of it. */
function descend(levels: number): number {
  return levels === 0 ? 0 : descend(levels - 1) + 1
}

const depth = 1_000

function callFunctions(times: number): void {
  for (let done = 0; done < times; done += depth) descend(depth)
}

async function awaitNothing(times: number): Promise<void> {
  for (let i = 0; i < times; i++) await undefined
}

function nextTurns(times: number): Promise<void> {
  return new Promise((resolve) => {
    const next = (left: number) => (left === 0 ? resolve() : void onNextTurn(next, left - 1))
    next(times)
  })
}

function answerOf(worker: Worker): Promise<unknown> {
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

/** Writes 64 bytes and waits until as many have come back; rejects when the other side is gone. */
function echo(output: Writable, input: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    let missing = question.length
    const gone = () => reject(new Error('the other side of a connection is gone'))
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
