/** The line server and its clients, each in a process of its own. */
import { once } from 'node:events'
import { startProgram } from '@repo/common/process/child'
import type { HandlerName } from './line-server.ts'
import type { LoadMessage, LoadTask } from './load.program.ts'

export interface ServerProcess extends AsyncDisposable {
  port: number
  /** How many connections the server has, and its resident memory in bytes. */
  state: () => Promise<{ connections: number; rss: number }>
}

/** Starts a line server; disposing of it ends it. */
export async function startLineServer(
  name: HandlerName,
  latencyMs: number,
  signal?: AbortSignal,
): Promise<ServerProcess> {
  const program = await startProgram<{ port: number }>(new URL('./line-server.program.ts', import.meta.url), {
    args: [JSON.stringify({ name, latencyMs })],
    signal,
  })
  return {
    port: program.info.port,
    async state() {
      program.process.send('state?')
      const [state] = await once(program.process, 'message', { signal })
      return state as { connections: number; rss: number }
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  }
}

export interface LoadProcess extends AsyncDisposable {
  /** Has the clients do something and returns what they found; throws what went wrong there. */
  run: <Result>(task: LoadTask, onProgress?: (done: number) => void) => Promise<Result>
}

/** Starts a process of clients; disposing of it ends it and its connections. */
export async function startLoad(signal?: AbortSignal): Promise<LoadProcess> {
  const program = await startProgram(new URL('./load.program.ts', import.meta.url), { signal })
  const ended = program.exited.then(() => {
    signal?.throwIfAborted()
    throw new Error('the process with the clients has ended')
  })
  ended.catch(() => {})
  return {
    async run<Result>(task: LoadTask, onProgress?: (done: number) => void) {
      const { promise, resolve, reject } = Promise.withResolvers<Result>()
      // One listener for the whole run: several messages may arrive in the same turn of the event loop.
      const listen = (message: LoadMessage) => {
        if ('progress' in message) onProgress?.(message.progress)
        else if ('error' in message) reject(new Error(message.error))
        else resolve(message.result as Result)
      }
      program.process.on('message', listen)
      try {
        program.process.send(task)
        return await Promise.race([promise, ended])
      } finally {
        program.process.off('message', listen)
      }
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  }
}

/** How many files and sockets one process may have open: the hard limit, to which Node raises itself. Infinity without one. */
export function openFilesLimit(): number {
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { hard: number | string } } }
  const hard = Number(userLimits?.open_files?.hard)
  return Number.isFinite(hard) ? hard : Number.POSITIVE_INFINITY
}
