/** Endless work, one piece for each layer of a program, and how an AbortSignal ends it. */
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { connect } from 'node:net'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay, setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

/** Runs until `signal` is aborted, and then ends with an error. Calls `onRunning` when it is under way. */
export type Endless = (url: string, signal: AbortSignal, onRunning: () => void) => Promise<unknown>

/** By the name of the layer. `url` is the slow server's. */
export const layers: Record<string, Endless> = {
  timer: async (_, signal, onRunning) => {
    onRunning()
    await delay(3_600_000, undefined, { signal })
  },

  event: async (_, signal, onRunning) => {
    onRunning()
    await once(new EventEmitter(), 'never', { signal })
  },

  'HTTP request': async (url, signal, onRunning) => {
    // The server never answers this request, so this side cannot see when it has arrived.
    onRunning()
    await (await fetch(`${url}/hang`, { signal })).text()
  },

  'TCP connection': async (url, signal, onRunning) => {
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), signal })
    socket.once('connect', onRunning)
    // An aborted socket is destroyed with an error, and `once` throws it.
    await once(socket, 'data')
  },

  'stream pipeline': async (_, signal, onRunning) => {
    async function* endless() {
      onRunning()
      for (;;) yield await delay(1, 'data')
    }
    await pipeline(Readable.from(endless()), new Writable({ write: (_chunk, _encoding, done) => done() }), { signal })
  },

  'child process': async (_, signal, onRunning) => {
    const child = spawn(process.execPath, ['-e', 'console.log(); setInterval(() => {}, 1000)'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      signal,
    })
    child.stdout.once('data', onRunning)
    child.on('error', () => {})
    // The abort is reported at once as an error. What counts is that the process has ended.
    await once(new EventEmitter(), 'never', { signal }).catch(async () => {
      if (child.exitCode === null && child.signalCode === null)
        await new Promise((resolve) => child.once('close', resolve))
    })
    signal.throwIfAborted()
  },

  'worker thread': async (_, signal, onRunning) => {
    // The thread never looks at a signal. It can be ended from outside, even in an endless loop.
    const worker = new Worker('require("node:worker_threads").parentPort.postMessage(1); for (;;);', {
      eval: true,
      execArgv: [],
    })
    worker.once('message', onRunning)
    try {
      await once(worker, 'exit', { signal })
    } finally {
      await worker.terminate()
    }
  },

  // #region computation
  computation: async (_, signal, onRunning) => {
    onRunning()
    for (let steps = 0; ; steps++) {
      // Nothing can interrupt this thread. It must look at the signal itself, and let the loop turn so that it can be
      // set.
      signal.throwIfAborted()
      if (steps % 100_000 === 0) await setImmediate()
    }
  },
  // #endregion computation
}
