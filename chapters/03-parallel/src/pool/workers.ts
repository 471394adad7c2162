/** The two kinds of workers that a pool can have, behind one interface: threads of this process, or child processes. */
import { randomUUID } from 'node:crypto'
import { deserialize, serialize } from 'node:v8'
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { messageOf } from '@repo/common/output/errors'
import { startProgram } from '@repo/common/process/child'

/** What a worker (pool.worker.ts) sends back for a task: its result, or what it threw. */
export type Reply = { value: unknown } | { error: unknown }

export interface WorkerEvents {
  /** May still be called after `stop`, for a reply that was on its way. */
  onReply: (reply: Reply) => void
  /** The worker could not start, or ended without being stopped. Called once. */
  onEnd: (cause: unknown) => void
}

export interface PoolWorker {
  /** Gives the worker a task, even while it is still starting. */
  send: (task: unknown) => void
  /** Ends the worker at once, whatever it is doing. Fulfilled when it is gone. */
  stop: () => Promise<void>
}

export type StartWorker = (events: WorkerEvents) => PoolWorker

export interface WorkerOptions {
  /** The limit of each worker's heap, in MB: a whole number from 16. */
  heapMb?: number
  /** Called with the pid of each worker that is a process. */
  onProcess?: (pid: number) => void
}

/** A thread whose heap is too small to start in ends the whole program. */
const leastHeapMb = 16
const mostHeapMb = 2 ** 20

function requireHeap(heapMb = leastHeapMb): void {
  if (Number.isInteger(heapMb) && heapMb >= leastHeapMb && heapMb <= mostHeapMb) return
  throw new RangeError(
    `heapMb: received ${String(heapMb)}; accepts a whole number of MB from ${leastHeapMb} to ${mostHeapMb}`,
  )
}

/** Node's exit code for a module whose top-level await never ends. */
const unsettled = 13

const program = new URL('./pool.worker.ts', import.meta.url)

/**
 * Workers that are threads.
 *
 * @param file the module whose default export does a task: `(task) => result`
 */
export function threads(file: URL, { heapMb }: WorkerOptions = {}): StartWorker {
  requireHeap(heapMb)
  return ({ onReply, onEnd }) => {
    // Tasks and replies have a channel of their own: what a task posts by `parentPort` is no reply.
    const { port1: port, port2 } = new MessageChannel()
    // An empty execArgv keeps this program's loaders out: Node reads TypeScript itself, and starts in a third of the
    // time.
    const resourceLimits = heapMb === undefined ? {} : { maxOldGenerationSizeMb: heapMb }
    const workerData = { file: file.href, port: port2 }
    const worker = new Worker(program, { workerData, transferList: [port2], execArgv: [], resourceLimits })
    let last: { error: unknown } | undefined
    port.on('message', onReply)
    port.on('messageerror', (error) => onReply({ error: unreadable(error) }))
    // Anything can be thrown, also null.
    worker.on('error', (error: NodeJS.ErrnoException | null | undefined) => {
      last = { error: error?.code === 'ERR_WORKER_OUT_OF_MEMORY' ? outOfMemory(error, heapMb) : error }
    })
    worker.on('exit', (code) => {
      // What it had replied before it ended counts.
      for (let last = receiveMessageOnPort(port); last; last = receiveMessageOnPort(port)) onReply(last.message)
      port.close()
      const how =
        code === unsettled
          ? 'has not loaded its module: an await in it never ends'
          : `exited with code ${code} during its task`
      onEnd(last ? last.error : new Error(`the worker ${how}`))
    })
    return {
      send: (task) => port.postMessage(task),
      async stop() {
        port.close()
        // An error that is already on its way no longer matters.
        worker.removeAllListeners().on('error', () => {})
        await worker.terminate()
      },
    }
  }
}

function outOfMemory(cause: Error, heapMb: number | undefined): Error {
  const limit = heapMb === undefined ? '' : `, its limit is ${heapMb} MB`
  return new Error(`the worker ran out of memory${limit}: give it smaller tasks`, { cause })
}

/** For example, a list of some thousand linked objects is too deep for this thread's stack. */
const unreadable = (cause: unknown) => new Error(`the task's result cannot be read: ${messageOf(cause)}`, { cause })

/**
 * What a worker that is a process sends back. A process has one channel, and a task may send messages of its own by
 * `process.send`. They lack the key, which no task knows.
 */
export interface KeyedReply {
  key: string
  /** A reply, serialized here: where Node itself cannot read a message, it ends the program. */
  bytes: Uint8Array
  /** It says why the worker ends. */
  isLast: boolean
}

function readReply(bytes: Uint8Array): Reply {
  try {
    return deserialize(bytes)
  } catch (error) {
    return { error: unreadable(error) }
  }
}

const whyEnded: Partial<Record<NodeJS.Signals, string>> = {
  SIGKILL: 'the system does that when memory runs out',
  SIGABRT: 'Node does that when its heap is full',
}

/**
 * Workers that are processes.
 *
 * @param file the module whose default export does a task: `(task) => result`
 */
export function processes(file: URL, { heapMb, onProcess }: WorkerOptions = {}): StartWorker {
  requireHeap(heapMb)
  const limit = heapMb === undefined ? '' : `--max-old-space-size=${heapMb}`
  return ({ onReply, onEnd }) => {
    const key = randomUUID()
    const stopping = new AbortController()
    async function start() {
      try {
        const child = await startProgram(program, {
          args: [file.href, key],
          env: { NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} ${limit}` },
          serialization: 'advanced',
          signal: stopping.signal,
          stopTimeoutMs: 0,
        })
        let last: Reply | undefined
        child.process.on('message', (message: unknown) => {
          const isReply = typeof message === 'object' && message !== null && 'key' in message && message.key === key
          if (!isReply) return
          const { bytes, isLast } = message as KeyedReply
          const reply = readReply(bytes)
          if (isLast) last = reply
          else onReply(reply)
        })
        void child.exited.then(({ code, signal }) => {
          if (stopping.signal.aborted) return
          const how = signal ? `was ended by ${signal}` : `exited with code ${code}`
          const why = signal && whyEnded[signal] ? `; ${whyEnded[signal]}` : ''
          const ended = new Error(`the worker process ${child.pid} ${how} during its task${why}`)
          onEnd(last && 'error' in last ? last.error : ended)
        })
        onProcess?.(child.pid)
        return child
      } catch (error) {
        if (stopping.signal.aborted) return undefined
        stopping.abort()
        onEnd(error)
        return undefined
      }
    }
    const started = start()
    return {
      send(task) {
        void started.then((child) => {
          try {
            // If the channel is closed, the task can never arrive.
            child?.process.send(serialize(task), (error) => void (error && child.stop()))
          } catch (error) {
            // A task that cannot be copied.
            onReply({ error })
          }
        })
      },
      async stop() {
        stopping.abort()
        await (await started)?.exited
      },
    }
  }
}
