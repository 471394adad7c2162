/** Runs examples and programs in tests. It loads without vitest. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { requireMs, timeLimit } from '../async/timer.ts'
import { loader } from '../process/child.ts'
import { processesWith } from '../process/marked.ts'

/** An environment variable that all processes of a run inherit. */
const markName = 'EXAMPLE_RUN'

export interface Run {
  /** The program's own process, which has ended. */
  pid: number | undefined
  /** The exit code; null if a signal ended it. */
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  /** Parses standard output, which must be one JSON document. Throws an Error with the output otherwise. */
  json: <Document = unknown>() => Document
  /**
   * Waits for the run's other processes to end, 30 s by default, and returns the command lines of those that are left.
   */
  leftBehind: (waitMs?: number) => Promise<string[]>
}

export interface RunOptions {
  /** Added to the environment; undefined removes a variable. */
  env?: NodeJS.ProcessEnv
  signal?: AbortSignal
  /** When output matches, on either stream, the whole process group gets SIGINT, as by Ctrl-C in a terminal. */
  interruptWhen?: RegExp
  /** A signal instead of SIGINT. SIGKILL goes to the program alone. */
  interruptWith?: NodeJS.Signals
  /** How long it may take; 100 s by default. */
  timeoutMs?: number
}

/**
 * Runs an example as a reader does in the chapter's folder: `node examples/<name>.ts …`, with tsx before Node 24.
 *
 * @throws an Error with the output so far, if it takes too long or the signal is aborted; its process group is killed
 */
export async function runExample(
  chapterFolder: string,
  name: string,
  args: string[] = [],
  options: RunOptions = {},
): Promise<Run> {
  return await runProgram(join('examples', `${name}.ts`), args, { ...options, cwd: chapterFolder })
}

/** As `runExample`, for any TypeScript file, by its path from `cwd`. */
export async function runProgram(
  file: string,
  args: string[] = [],
  {
    cwd,
    env,
    signal,
    interruptWhen,
    interruptWith = 'SIGINT',
    timeoutMs = 100_000,
  }: RunOptions & { cwd?: string } = {},
): Promise<Run> {
  signal?.throwIfAborted()
  requireMs(timeoutMs, 'timeoutMs')
  const mark = randomUUID()
  const child = spawn(process.execPath, [...loader(), file, ...args], {
    cwd,
    // As in a reader's shell: without the test runner's variables.
    env: { ...process.env, NODE_ENV: undefined, VITEST: undefined, FORCE_COLOR: undefined, ...env, [markName]: mark },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const output = { stdout: '', stderr: '', all: '' }
  let interrupted = false
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text
      output.all += text
      if (interrupted || !interruptWhen?.test(output.all)) return
      interrupted = true
      send(interruptWith)
    })
  }
  function send(name: NodeJS.Signals) {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    if (process.platform === 'win32' || name === 'SIGKILL') child.kill(name)
    else process.kill(-child.pid, name)
  }

  const deadline = timeLimit(timeoutMs)
  const given = signal ? AbortSignal.any([signal, deadline]) : deadline
  const abort = () => send('SIGKILL')
  given.addEventListener('abort', abort)
  const [code, endedBy] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  given.removeEventListener('abort', abort)
  if (given.aborted) {
    const why = deadline.aborted ? `took longer than ${timeoutMs / 1000} s` : 'was aborted'
    throw new Error(`${file} ${why}; its output:\n${output.all}`)
  }
  return {
    pid: child.pid,
    code,
    signal: endedBy,
    stdout: output.stdout,
    stderr: output.stderr,
    json() {
      try {
        return JSON.parse(output.stdout)
      } catch (cause) {
        throw new Error(`${file} ended with ${code} and did not print one JSON document:\n${output.all}`, { cause })
      }
    },
    async leftBehind(waitMs = 30_000) {
      const end = performance.now() + waitMs
      let left = await processesWith(markName, mark)
      while (left.length > 0 && performance.now() < end) {
        await delay(50)
        left = await processesWith(markName, mark)
      }
      return left
    },
  }
}
