/** The two kinds of worker a pool can have, behind one interface: threads of this process, and processes of their own. */
import { type ResourceLimits, Worker } from 'node:worker_threads'
import { type Program, startProgram } from '@repo/common/process/child'

/** What a worker sends back for each task; by `pool.worker.ts`. */
export type Reply = { value: unknown } | { error: unknown }

export interface WorkerEvents {
  /** May also be called after the worker was asked to stop: a reply was on its way. */
  onReply: (reply: Reply) => void
  /** It ended, or could not be started, without having been asked to stop. Called once. */
  onEnd: (cause: Error) => void
}

export interface PoolWorker {
  /** Gives it a task; it may still be starting. */
  send: (task: unknown) => void
  /** Ends it at once, whatever it does; fulfilled when it is gone. */
  stop: () => Promise<void>
}

export type StartWorker = (events: WorkerEvents) => PoolWorker

const program = new URL('./pool.worker.ts', import.meta.url)

/**
 * Workers that are threads.
 *
 * @param file the module whose default export does a task: `(task) => result`
 */
export function threads(file: URL, options: { resourceLimits?: ResourceLimits } = {}): StartWorker {
  return ({ onReply, onEnd }) => {
    // Without this program's own loaders: Node reads TypeScript by itself, and the thread starts in a third of the time.
    const worker = new Worker(program, { workerData: { file: file.href }, execArgv: [], ...options })
    let cause: Error | undefined
    worker.on('message', onReply)
    worker.on('error', (error: NodeJS.ErrnoException) => {
      const limit = options.resourceLimits?.maxOldGenerationSizeMb
      cause =
        error.code === 'ERR_WORKER_OUT_OF_MEMORY'
          ? new Error(
              `the worker ran out of memory${limit ? `, its limit is ${limit} MB` : ''}: give it smaller tasks`,
              {
                cause: error,
              },
            )
          : error
    })
    worker.on('exit', (code) => onEnd(cause ?? new Error(`the worker exited with code ${code} during its task`)))
    return {
      send: (task) => worker.postMessage(task),
      async stop() {
        // A failure that is already on its way concerns nobody any more.
        worker.removeAllListeners().on('error', () => {})
        await worker.terminate()
      },
    }
  }
}

/**
 * Workers that are processes: tasks and results travel as JSON.
 *
 * @param onProcess is told each one's pid
 */
export function processes(file: URL, onProcess?: (pid: number) => void): StartWorker {
  return ({ onReply, onEnd }) => {
    const stopping = new AbortController()
    const starting: Promise<Program<undefined> | undefined> = startProgram(program, {
      args: [file.href],
      signal: stopping.signal,
      stopTimeoutMs: 0,
    }).then(
      (child) => {
        onProcess?.(child.pid)
        child.process.on('message', (message) => onReply(message as Reply))
        void child.exited.then(({ code, signal }) => {
          if (stopping.signal.aborted) return
          const how = signal ? `was ended by ${signal}` : `exited with code ${code}`
          const why = signal === 'SIGKILL' ? '; the system does that when memory runs out' : ''
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
      send: (task) => void starting.then((child) => child?.process.send(task as object, () => {})),
      async stop() {
        stopping.abort()
        await (await starting)?.exited
      },
    }
  }
}
