/** The two kinds of workers that a pool can have, behind one interface: threads of this process, or child processes. */
import { Worker } from 'node:worker_threads'
import { startProgram } from '@repo/common/process/child'

/** What a worker (pool.worker.ts) sends back for a task: its result, or what it threw. */
export type Reply = { value: unknown } | { error: unknown }

export interface WorkerEvents {
  /** May still be called after `stop`, for a reply that was on its way. */
  onReply: (reply: Reply) => void
  /** The worker could not start, or ended without being stopped. Called once. */
  onEnd: (cause: Error) => void
}

export interface PoolWorker {
  /** Gives the worker a task, even while it is still starting. */
  send: (task: unknown) => void
  /** Ends the worker at once, whatever it is doing. Fulfilled when it is gone. */
  stop: () => Promise<void>
}

export type StartWorker = (events: WorkerEvents) => PoolWorker

export interface WorkerOptions {
  /** The limit of each worker's heap, in MB. */
  heapMb?: number
  /** Called with the pid of each worker that is a process. */
  onProcess?: (pid: number) => void
}

const program = new URL('./pool.worker.ts', import.meta.url)

/**
 * Workers that are threads.
 *
 * @param file the module whose default export does a task: `(task) => result`
 */
export function threads(file: URL, { heapMb }: WorkerOptions = {}): StartWorker {
  return ({ onReply, onEnd }) => {
    // An empty execArgv keeps this program's loaders out: Node reads TypeScript itself, and starts in a third of the
    // time.
    const resourceLimits = heapMb === undefined ? {} : { maxOldGenerationSizeMb: heapMb }
    const worker = new Worker(program, { workerData: { file: file.href }, execArgv: [], resourceLimits })
    let cause: Error | undefined
    worker.on('message', onReply)
    worker.on('error', (error: NodeJS.ErrnoException) => {
      cause = error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? outOfMemory(error, heapMb) : error
    })
    worker.on('exit', (code) => onEnd(cause ?? new Error(`the worker exited with code ${code} during its task`)))
    return {
      send: (task) => worker.postMessage(task),
      async stop() {
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
  const limit = heapMb === undefined ? '' : `--max-old-space-size=${heapMb}`
  return ({ onReply, onEnd }) => {
    const stopping = new AbortController()
    const starting = startProgram(program, {
      args: [file.href],
      env: { NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} ${limit}` },
      serialization: 'advanced',
      signal: stopping.signal,
      stopTimeoutMs: 0,
    }).then(
      (child) => {
        onProcess?.(child.pid)
        child.process.on('message', (message) => onReply(message as Reply))
        void child.exited.then(({ code, signal }) => {
          if (stopping.signal.aborted) return
          const how = signal ? `was ended by ${signal}` : `exited with code ${code}`
          const why = signal && whyEnded[signal] ? `; ${whyEnded[signal]}` : ''
          onEnd(new Error(`the worker process ${child.pid} ${how} during its task${why}`))
        })
        return child
      },
      (error) => {
        if (!stopping.signal.aborted) onEnd(error)
        return undefined
      },
    )
    return {
      send(task) {
        // Only a task that cannot be copied fails here. A process that ends meanwhile is reported by its exit.
        starting.then((child) => child?.process.send(task as object, () => {})).catch((error) => onReply({ error }))
      },
      async stop() {
        stopping.abort()
        await (await starting)?.exited
      },
    }
  }
}
