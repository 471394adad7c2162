/** The real Celery's worker and client, run by the system's Python, and this chapter's worker for its clients. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Child, startProgram, startServer } from '@repo/common/process/child'
import { z } from 'zod'
import type { Python } from './python.ts'

export interface CeleryOptions {
  url: string
  queue: string
  /** How many processes run tasks; 2. */
  concurrency?: number
  signal?: AbortSignal | undefined
}

const folder = fileURLToPath(new URL('.', import.meta.url))

const environment = ({ url, queue }: CeleryOptions) => ({
  // The URL has the password: not on the command line, which everybody may read.
  REDIS_URL: url,
  QUEUE: queue,
  PYTHONDONTWRITEBYTECODE: '1',
})

/** Starts a Celery worker with the tasks of src/celery/celery_tasks.py and waits until it takes tasks. */
export async function startCeleryWorker({ command }: Python, options: CeleryOptions): Promise<Child> {
  return await startServer({
    command,
    args: [
      '-m',
      'celery',
      '-A',
      'celery_tasks',
      'worker',
      '--loglevel',
      'INFO',
      '--hostname',
      `${options.queue}@%h`,
      '--concurrency',
      String(options.concurrency ?? 2),
      '--without-gossip',
      '--without-mingle',
    ],
    cwd: folder,
    env: environment(options),
    ready: /ready\.$/,
    signal: options.signal,
  })
}

/** Starts a worker with the tasks of src/celery/tasks.ts in a process of its own and waits until it takes tasks. */
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

/** Runs src/celery/celery_client.py and returns what Python got for each of its calls. */
export async function runCeleryClient({ command }: Python, options: CeleryOptions): Promise<PythonReply[]> {
  const { stdout } = await promisify(execFile)(command, ['celery_client.py'], {
    cwd: folder,
    signal: options.signal,
    timeout: 100_000,
    env: { ...process.env, ...environment(options) },
  })
  return stdout
    .trim()
    .split('\n')
    .map((line) => reply.parse(JSON.parse(line)))
}
