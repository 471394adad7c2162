/**
 * Child processes: TypeScript programs and other servers. They say when they are ready, and they do not outlive their
 * owner, however it ends.
 *
 * Each child leads its own process group, so that a terminal's Ctrl-C does not reach it and the owner stops it in
 * order. If the owner is killed, the reaper stops the child (guard.ts).
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { after, requireMs, sleep } from '../async/timer.ts'
import { guard } from './guard.ts'
import type { ReadyMessage } from './ready.ts'
import { temporaryFolder } from './temporary.ts'

/** How a process ended: with an exit code or by a signal. */
export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A running child process; disposing of it stops it. */
export interface Child extends AsyncDisposable {
  /** Node's own handle: `send`, `on('message')`, `kill`, `stdout`. Its input is empty. Its output is always read. */
  process: ChildProcess
  pid: number
  /** Resolves when the process has ended, for whatever reason, and nothing of it remains. Never rejects. */
  exited: Promise<Exit>
  /** Sends SIGTERM and, after `stopTimeoutMs`, SIGKILL. Resolves like `exited`. May be called again. */
  stop: () => Promise<Exit>
  /** Sends SIGKILL, and resolves like `exited`. */
  kill: () => Promise<Exit>
}

/** A TypeScript program that is ready. */
export interface Program<Info> extends Child {
  /** What it passed to `ready(info)`. */
  info: Info
}

export interface ChildOptions {
  args?: string[]
  /** Added to this process's environment; undefined removes a variable. */
  env?: NodeJS.ProcessEnv
  cwd?: string
  /** How messages are encoded: as `json` by default; `advanced` carries whatever can be cloned for a thread. */
  serialization?: 'json' | 'advanced'
  /** Stops the child when aborted. While the child starts, the start then fails with the signal's reason. */
  signal?: AbortSignal | undefined
  /** As `signal`, but without effect once the child is ready. */
  untilReady?: AbortSignal | undefined
  /** How long it may take to become ready; 60 s by default, for busy machines. */
  readyTimeoutMs?: number
  /** The time between SIGTERM and SIGKILL; 5 s by default. */
  stopTimeoutMs?: number
  /** Gets every line of both outputs. The last lines are also kept for error messages. */
  onLine?: (line: string) => void
}

export interface ProgramOptions extends ChildOptions {
  /** A command that runs the program in its own place, such as `['ip', 'netns', 'exec', 'name']`. */
  launcher?: string[]
  /** The path of another Node; by default this process's own. */
  node?: string
}

export interface ServerOptions extends ChildOptions {
  /** A program on PATH, or a path to one. */
  command: string
  /** Matches the line of output that says it is ready; or a check that is repeated until it returns true. */
  ready: RegExp | ((pid: number) => Promise<boolean>)
  /** Gives it a folder of its own for temporary files, which is removed after its end: a killed server leaves them. */
  ownTemporaryFolder?: boolean
}

// Resolved only when needed: a bundle of this module runs where tsx is not installed.
const tsx = () => ['--import', import.meta.resolve('tsx')]
/**
 * Returns Node's options for running TypeScript. Node 24 and later strip types themselves, in a fraction of tsx's time.
 */
export const loader = () => (Number(process.versions.node.split('.')[0]) >= 24 ? [] : tsx())

const checkEveryMs = 25
const keptLines = 20
/** Processes that a child has started may hold its output open for this time after its end. */
const closeTimeoutMs = 1_000
/** On a busy machine a killed process ends later than `kill` returns. */
const killTimeoutMs = 5_000

/**
 * Starts a TypeScript program, or a bundle of one, in its own process and waits until it calls `ready()` (ready.ts).
 *
 * @throws an Error with the program's last lines of output, if it ends before that or takes too long
 */
export async function startProgram<Info = undefined>(
  file: string | URL,
  options: ProgramOptions = {},
): Promise<Program<Info>> {
  const path = String(file).startsWith('file:') ? fileURLToPath(file) : String(file)
  const { node = process.execPath, launcher = [] } = options
  const [command = node, ...first] = [...launcher, node]
  const loading = path.endsWith('.mjs') ? [] : node === process.execPath ? loader() : tsx()
  const args = [...first, ...loading, path, ...(options.args ?? [])]
  let info: unknown
  const child = await launch(
    basename(path),
    command,
    args,
    ['ignore', 'pipe', 'pipe', 'ipc'],
    options,
    (child) =>
      new Promise<void>((resolve) => {
        child.on('message', function listen(message) {
          if (!isReadyMessage(message)) return
          child.off('message', listen)
          info = message.info
          resolve()
        })
      }),
  )
  return Object.assign(child, { info: info as Info })
}

const isReadyMessage = (message: unknown): message is ReadyMessage =>
  typeof message === 'object' && message !== null && 'ready' in message && message.ready === true

/**
 * Starts a server that stays in the foreground and waits until it is ready. Later the signal has no effect on it: an
 * interrupted example still needs its servers while it cleans up, and a dead one would never answer.
 *
 * @throws an Error with the server's last lines of output, if it ends before that, takes too long, or cannot be started
 */
export async function startServer({ ownTemporaryFolder = false, ...options }: ServerOptions): Promise<Child> {
  if (ownTemporaryFolder) return await startWithFolder(options)
  const { command, args = [], ready } = options
  const said = Promise.withResolvers<void>()
  const onLine = (line: string) => {
    if (ready instanceof RegExp && ready.test(line)) said.resolve()
    options.onLine?.(line)
  }
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe']
  const forChild = { ...options, onLine, signal: undefined, untilReady: options.signal }
  return await launch(basename(command), command, args, stdio, forChild, async ({ pid = 0 }, waiting) => {
    if (ready instanceof RegExp) return await said.promise
    while (!(await ready(pid))) await sleep(checkEveryMs, waiting)
  })
}

async function startWithFolder(options: ServerOptions): Promise<Child> {
  const folder = await temporaryFolder()
  const remove = () => folder[Symbol.asyncDispose]()
  try {
    const child = await startServer({ ...options, env: { ...options.env, TMPDIR: folder.path } })
    const exited = child.exited.finally(remove)
    const stop = async () => {
      await child.stop()
      return await exited
    }
    const kill = async () => {
      await child.kill()
      return await exited
    }
    return { ...child, exited, stop, kill, [Symbol.asyncDispose]: async () => void (await stop()) }
  } catch (error) {
    await remove()
    throw error
  }
}

async function launch(
  name: string,
  command: string,
  args: string[],
  stdio: StdioOptions,
  { env, cwd, serialization, signal, untilReady, readyTimeoutMs = 60_000, stopTimeoutMs = 5_000, onLine }: ChildOptions,
  isReady: (child: ChildProcess, waiting: AbortSignal) => Promise<void>,
): Promise<Child> {
  signal?.throwIfAborted()
  untilReady?.throwIfAborted()
  // Before a child exists that nobody would stop.
  requireMs(readyTimeoutMs, 'readyTimeoutMs')
  requireMs(stopTimeoutMs, 'stopTimeoutMs')
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio,
    serialization,
    detached: true,
    windowsHide: true,
  })
  const { pid } = child
  if (pid === undefined) {
    const [cause] = await once(child, 'error')
    throw new Error(`${name} cannot be started`, { cause })
  }
  const release = guard(pid)
  const closed = new Promise((resolve) => child.once('close', resolve))
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, endedBy) => resolve({ code, signal: endedBy }))
  }).then(async (exit) => {
    signal?.removeEventListener('abort', stop)
    const released = release()
    // Processes that it started and did not end.
    killGroup(child)
    const timer = setTimeout(closeOutputs, closeTimeoutMs)
    await closed
    clearTimeout(timer)
    const end = performance.now() + killTimeoutMs
    while (killGroup(child) && (await isRunning(child.pid)) && performance.now() < end) await sleep(checkEveryMs)
    await released
    return exit
  })
  function closeOutputs() {
    child.stdout?.destroy()
    child.stderr?.destroy()
    if (child.connected) child.disconnect()
  }
  // Undeliverable messages are reported here. `exited` tells that the child has gone.
  child.on('error', () => {})

  const lines: string[] = []
  for (const input of [child.stdout, child.stderr]) {
    if (!input) continue
    createInterface({ input }).on('line', (line) => {
      if (lines.push(line) > keptLines) lines.shift()
      onLine?.(line)
    })
  }

  let stopped: Promise<Exit> | undefined
  function stop(): Promise<Exit> {
    stopped ??= (async () => {
      child.kill('SIGTERM')
      using _timer = after(stopTimeoutMs, () => {
        // After its end, the pid may belong to another process.
        if (child.exitCode === null && child.signalCode === null) killGroup(child)
      })
      return await exited
    })()
    return stopped
  }
  signal?.addEventListener('abort', stop)
  untilReady?.addEventListener('abort', stop)

  const waiting = new AbortController()
  try {
    await Promise.race([
      isReady(child, waiting.signal),
      exited.then((exit) => {
        throw new Error(
          `${name} ended ${exit.signal ? `by ${exit.signal}` : `with code ${exit.code}`} before it was ready`,
        )
      }),
      sleep(readyTimeoutMs, waiting.signal).then(() => {
        throw new Error(`${name} was not ready within ${readyTimeoutMs / 1000} s`)
      }),
    ])
  } catch (error) {
    await stop()
    signal?.throwIfAborted()
    untilReady?.throwIfAborted()
    if (error instanceof Error && lines.length > 0) error.message += `; its last output:\n${lines.join('\n')}`
    throw error
  } finally {
    waiting.abort()
    untilReady?.removeEventListener('abort', stop)
  }
  function kill() {
    child.kill('SIGKILL')
    return exited
  }
  return { process: child, pid, exited, stop, kill, [Symbol.asyncDispose]: async () => void (await stop()) }
}

/**
 * Sends SIGKILL to a child's process group; on Windows, which has no groups, to the child alone. Returns whether anything
 * was there to get it.
 */
function killGroup(child: ChildProcess): boolean {
  try {
    if (process.platform === 'win32') return child.kill('SIGKILL')
    return child.pid !== undefined && process.kill(-child.pid, 'SIGKILL')
  } catch {
    // The group is empty.
    return false
  }
}

/**
 * Whether a process of this group is running. On Linux the dead belong to their group until they are collected, which in
 * a container without an init process is never.
 */
async function isRunning(group: number | undefined): Promise<boolean> {
  if (process.platform !== 'linux') return true
  for (const entry of await readdir('/proc')) {
    const stat = /^\d+$/.test(entry) ? await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '') : ''
    // After the name in parentheses: the state, the parent and the group.
    const [state, , its] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (its === String(group) && state !== 'Z' && state !== 'X') return true
  }
  return false
}
