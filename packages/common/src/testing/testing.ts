/** What the tests of every chapter need; loads without vitest. */
import { execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

import { loader } from '../process/child.ts'

export { until } from '../async/until.ts'

/** An environment variable that every process of a run inherits. */
const markName = 'EXAMPLE_RUN'

export interface Run {
  /** The exit code; null when a signal ended it. */
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  /** Standard output as the one JSON document it must be; throws with what was there instead. */
  json: <Document = unknown>() => Document
  /** The command lines of processes of the run that are still there, after waiting up to 30 s for them to end by themselves. */
  leftBehind: (waitMs?: number) => Promise<string[]>
}

export interface RunOptions {
  /** Added to the environment; undefined takes a variable away. */
  env?: NodeJS.ProcessEnv
  signal?: AbortSignal
  /** When output that matches has appeared, on either stream, sends the whole group SIGINT, as a terminal's Ctrl-C does. */
  interruptWhen?: RegExp
  /** Another signal than SIGINT. SIGKILL goes to the program alone. */
  interruptWith?: NodeJS.Signals
  /** How long it may take; 100 s. */
  timeoutMs?: number
}

/**
 * Runs an example as a reader does in the chapter's folder: `node examples/<name>.ts …`, with tsx before Node 24.
 *
 * @throws an Error with the output so far when it takes too long or the signal is aborted; nothing of it then runs on
 */
export async function runExample(
  chapterFolder: string,
  name: string,
  args: string[] = [],
  options: RunOptions = {},
): Promise<Run> {
  return await runProgram(join('examples', `${name}.ts`), args, { ...options, cwd: chapterFolder })
}

/** The same for any TypeScript file, by its path from `cwd`. */
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
  const mark = randomUUID()
  const child = spawn(process.execPath, [...loader(), file, ...args], {
    cwd,
    // As in the reader's shell: nothing of the test runner's own.
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

  const deadline = AbortSignal.timeout(timeoutMs)
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

/**
 * The command lines, after their pids, of this user's processes whose environment has the variable with the value. Not
 * seen on Linux are servers that overwrite their environment with a title of their own (sshd, postgres): ask for their
 * pid or port as well.
 */
export async function processesWith(name: string, value: string): Promise<string[]> {
  const setting = `${name}=${value}`
  if (process.platform !== 'linux') {
    // The environment follows the command in one line.
    const { stdout } = await promisify(execFile)('ps', ['-Eww', '-axo', 'pid=,command='], { maxBuffer: 64 << 20 })
    return stdout.split('\n').filter((line) => line.includes(setting))
  }
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))
  const found = await Promise.all(
    pids.map(async (pid) => {
      try {
        const environment = await readFile(`/proc/${pid}/environ`, 'utf8')
        if (!environment.split('\0').includes(setting)) return []
        return [`${pid} ${(await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim()}`]
      } catch {
        // Another user's, or gone meanwhile.
        return []
      }
    }),
  )
  return found.flat()
}
