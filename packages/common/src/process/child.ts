/**
 * Child processes of an example: TypeScript programs and foreign servers that start, say when they are ready, and are
 * gone when their owner is, however it ends.
 *
 * Each child leads a process group of its own, so that a terminal's Ctrl-C does not reach it and the owner stops it in
 * order. An owner that is killed cannot stop anything: one small process beside it, the reaper, holds a pipe from it,
 * learns from the pipe's end that it is gone, and then ends its children and removes its temporary folders.
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { guard } from './guard.ts'
import type { ReadyMessage } from './ready.ts'

/** How a process ended: with an exit code, or by a signal. */
export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A running child process; disposing of it stops it. */
export interface Child extends AsyncDisposable {
  /** Node's own handle: `send`, `on('message')`, `kill`, `stdout`. Its input is empty, its output is read in any case. */
  process: ChildProcess
  pid: number
  /** Fulfilled when it has ended, for whatever reason, and nothing of it is left. Never rejected. */
  exited: Promise<Exit>
  /** Sends SIGTERM and, after `stopTimeoutMs`, SIGKILL; fulfilled when it has ended. May be called any number of times. */
  stop: () => Promise<Exit>
}

/** A TypeScript program that has said it is ready. */
export interface Program<Info> extends Child {
  /** What it handed to `ready(info)`. */
  info: Info
}

export interface ChildOptions {
  args?: string[]
  /** Added to this process's environment; undefined takes a variable away. */
  env?: NodeJS.ProcessEnv
  cwd?: string
  /** How messages to and from a program are written: `json` when not given, `advanced` carries what threads can clone. */
  serialization?: 'json' | 'advanced'
  /** Stops the child when aborted, also while it starts; the start then fails with the signal's reason. */
  signal?: AbortSignal | undefined
  /** Stops the child when aborted before it is ready, and has no effect on it later. */
  untilReady?: AbortSignal | undefined
  /** How long it may take until it is ready; a minute, for machines that are busy with many others. */
  readyTimeoutMs?: number
  /** How long it has after SIGTERM until SIGKILL; 5 s. */
  stopTimeoutMs?: number
  /** Called with every line the child writes, to either output; otherwise the last ones are kept for error messages. */
  onLine?: (line: string) => void
}

export interface ProgramOptions extends ChildOptions {
  /** A command that becomes the program, such as `['ip', 'netns', 'exec', 'name']`; without one it is Node itself. */
  launcher?: string[]
  /** The path of another Node than this process's own. */
  node?: string
}

export interface ServerOptions extends ChildOptions {
  /** A program on PATH, or a path to one. */
  command: string
  /** What a line of its output that says it is ready matches, or a check that is repeated until it returns true. */
  ready: RegExp | ((pid: number) => Promise<boolean>)
}

// Looked for when it is needed: a bundle of this module runs where there is no tsx.
const tsx = () => ['--import', import.meta.resolve('tsx')]
/** What Node is told to run TypeScript. From version 24 on it takes the types out by itself, in a fraction of tsx's time. */
export const loader = () => (Number(process.versions.node.split('.')[0]) >= 24 ? [] : tsx())

const checkEveryMs = 25
const keptLines = 20
/** How long what a child started itself may hold the child's output open once the child has ended. */
const closeTimeoutMs = 1_000

/**
 * Starts a TypeScript program, or a bundle of one, in a Node of its own and waits until it calls `ready()` of `@repo/common/ready`.
 *
 * @throws an Error with the program's last lines of output when it ends before that or takes too long
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
 * Starts a server that stays in the foreground and waits until it is ready. The signal stops it only until then: an
 * interrupted example still needs its servers to end in order, and an answer from one that is gone would never come.
 *
 * @throws an Error with the server's last lines of output when it ends before that, takes too long, or cannot be started
 */
export async function startServer(options: ServerOptions): Promise<Child> {
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
    while (!(await ready(pid))) await delay(checkEveryMs, undefined, { signal: waiting })
  })
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
    // What it started and did not end itself.
    killGroup(child)
    const timer = setTimeout(closeOutputs, closeTimeoutMs)
    await closed
    clearTimeout(timer)
    await released
    return exit
  })
  function closeOutputs() {
    child.stdout?.destroy()
    child.stderr?.destroy()
    if (child.connected) child.disconnect()
  }
  // A message that can no longer be delivered is reported here; that the child has gone is what `exited` says.
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
      const timer = setTimeout(() => {
        // Once it has ended, its pid may be another's.
        if (child.exitCode === null && child.signalCode === null) killGroup(child)
      }, stopTimeoutMs)
      return await exited.finally(() => clearTimeout(timer))
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
      delay(readyTimeoutMs, undefined, { signal: waiting.signal }).then(() => {
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
  return { process: child, pid, exited, stop, [Symbol.asyncDispose]: async () => void (await stop()) }
}

/** Sends SIGKILL to a child and to what it started in its process group; on Windows, which has none, to the child. */
function killGroup(child: ChildProcess) {
  try {
    if (process.platform === 'win32') child.kill('SIGKILL')
    else if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}
