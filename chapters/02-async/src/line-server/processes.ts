/** The line server and its clients, each in a process of its own. */
import { ask } from '@repo/common/process/ask'
import { startProgram } from '@repo/common/process/child'
import type { ServerSettings } from './line-server.program.ts'
import type { LoadMessage, LoadTask } from './load.program.ts'

export interface ServerProcess extends AsyncDisposable {
  port: number
  /** The number of connections that the server has, and its resident memory in bytes. */
  state: () => Promise<{ connections: number; rss: number }>
}

/** Starts a line server; disposing of it ends it. */
export async function startLineServer(settings: ServerSettings, signal?: AbortSignal): Promise<ServerProcess> {
  const program = await startProgram<{ port: number }>(new URL('./line-server.program.ts', import.meta.url), {
    args: [JSON.stringify(settings)],
    signal,
  })
  return {
    port: program.info.port,
    state: () => ask(program, 'state?', signal),
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

/** Each connection needs a port of its own: Linux has some 28,000 of them for clients, other systems 16,000. */
export const mostPorts = process.platform === 'linux' ? 25_000 : 15_000

/** What a process needs besides connections: the program's own files, pipes, and what Node keeps open. */
const otherFiles = 200

/**
 * How many connections one process can have, given the number of files and sockets that it may open: the hard limit, to
 * which Node raises its own. Without a limit, null and Infinity.
 */
export function connectionsLimit(): { openFiles: number | null; most: number } {
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { hard: number | string } } }
  const hard = Number(userLimits?.open_files?.hard)
  if (!Number.isFinite(hard)) return { openFiles: null, most: Number.POSITIVE_INFINITY }
  return { openFiles: hard, most: Math.max(0, hard - otherFiles) }
}
