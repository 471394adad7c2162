/** Celery's own workers and clients, run by the system's Python, and this chapter's worker for its clients. */
import { basename, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { aborted } from '@repo/common/async/abort'
import { type Child, type ServerOptions, startProgram, startServer } from '@repo/common/process/child'
import { z } from 'zod'
import type { Python } from './python.ts'

export interface CeleryOptions {
  url: string
  queue: string
  /** Processes that run tasks; 2 by default. */
  concurrency?: number
  signal?: AbortSignal | undefined
  /** Gets every line that the worker prints. */
  onLine?: (line: string) => void
}

/** Alone on a machine it ends after 2.6 s, and only then has it taken its names out of the broker. */
const celeryStopMs = 30_000

const celeryTasks = new URL('./celery_tasks.py', import.meta.url)
const celeryClient = new URL('./celery_client.py', import.meta.url)

/** A worker of Celery. */
export interface CeleryWorker extends Child {
  /** Aborted when the worker ends without being stopped, with an Error that says how, and its last lines. */
  lost: AbortSignal
}

/**
 * Starts a Celery worker and waits until it takes tasks.
 *
 * @param file the Python file with its tasks; celery_tasks.py by default
 */
export async function startCeleryWorker(
  python: Python,
  options: CeleryOptions,
  file = celeryTasks,
): Promise<CeleryWorker> {
  const { queue, concurrency = 2 } = options
  const app = ['-m', 'celery', '-A', basename(fileURLToPath(file), '.py'), 'worker', '--loglevel', 'INFO']
  const scale = ['--hostname', `${queue}@%h`, '--concurrency', String(concurrency)]
  // It need not know of other workers.
  const alone = ['--without-gossip', '--without-mingle', '--without-heartbeat']
  const said: string[] = []
  const onLine = (line: string) => {
    if (said.push(line) > keptLines) said.shift()
    options.onLine?.(line)
  }
  const worker = await startPython(python, file, options, {
    args: [...app, ...scale, ...alone],
    ready: /ready\.$/,
    stopTimeoutMs: celeryStopMs,
    onLine,
  })
  const lost = new AbortController()
  let stopping = false
  void worker.exited.then(({ code, signal }) => {
    if (stopping) return
    const how = signal ? `by ${signal}` : `with code ${code}`
    lost.abort(new Error(`the Celery worker ended ${how}; its last output:\n${said.join('\n')}`))
  })
  const stop = () => {
    stopping = true
    return worker.stop()
  }
  return { ...worker, lost: lost.signal, stop, [Symbol.asyncDispose]: async () => void (await stop()) }
}

const keptLines = 20

/** Runs a Python file as a client, until it ends. Returns the JSON documents that it printed, one from each line. */
export async function runCeleryClient(
  python: Python,
  file: URL,
  options: CeleryOptions,
  ...args: string[]
): Promise<unknown[]> {
  const lines: string[] = []
  await using client = await startPython(python, file, options, {
    args: [fileURLToPath(file), ...args],
    ready: /^\{/,
    readyTimeoutMs: 600_000,
    onLine: (line) => lines.push(line),
  })
  const { code } = await Promise.race([client.exited, ...(options.signal ? [aborted(options.signal)] : [])])
  if (code !== 0) throw new Error(`${basename(fileURLToPath(file))} ended with code ${code}: ${lines.at(-1)}`)
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as unknown)
}

function startPython(
  { command }: Python,
  file: URL,
  { url, queue, signal }: CeleryOptions,
  options: Omit<ServerOptions, 'command'>,
): Promise<Child> {
  // The URL contains a password, and any user may read a command line.
  const env = { REDIS_URL: url, QUEUE: queue, PYTHONDONTWRITEBYTECODE: '1' }
  const cwd = dirname(fileURLToPath(file))
  // Celery's processes share memory in a file, whose folder is left when they are killed.
  return startServer({ command, cwd, env, signal, ownTemporaryFolder: true, ...options })
}

const reply = z.object({
  call: z.string(),
  id: z.string(),
  state: z.string(),
  result: z.json().optional(),
  error: z.string().optional(),
  message: z.string().optional(),
  isTypeError: z.boolean().optional(),
})
export type PythonReply = z.output<typeof reply>

/** Runs celery_client.py and returns what Python got for each of its calls. */
export async function callFromPython(python: Python, options: CeleryOptions): Promise<PythonReply[]> {
  return z.array(reply).parse(await runCeleryClient(python, celeryClient, options))
}

/** Starts a worker with the tasks of tasks.ts in a process of its own and waits until it takes tasks. */
export async function startTypeScriptWorker(
  { url, queue, concurrency = 10, signal }: CeleryOptions,
  { leaseMs = 15_000, stopTimeoutMs = 5_000 } = {},
): Promise<Child> {
  return await startProgram(new URL('./worker.program.ts', import.meta.url), {
    args: [queue, String(concurrency), String(leaseMs)],
    env: { REDIS_URL: url },
    signal,
    stopTimeoutMs,
  })
}
