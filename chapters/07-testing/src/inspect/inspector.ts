/**
 * The inspector of a running Node process, by the Chrome DevTools Protocol, which an editor's debugger speaks too. It
 * is opened in a process that was started without it, on loopback only, and closed afterwards. One that was open before
 * stays open: somebody uses it.
 */
import { execFile } from 'node:child_process'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { until } from '@repo/common/async/until'
import { UsageError } from '@repo/common/example/usage'
import type { Program } from '@repo/common/process/child'
import { listeningPorts } from './ports.ts'
import { Session } from './session.ts'

/** The environment for a process whose inspector is to take a free port when it is opened. This does not open it. */
export const inspectable = { NODE_OPTIONS: '--inspect-port=127.0.0.1:0' }

/** Node writes this line when the inspector is opened, with the address of its WebSocket. */
const listening = /Debugger listening on (ws:\/\/\S+)/

/**
 * How many of us use an inspector that one of us has opened, in the process itself: the last one closes it. Where there
 * is no such number, somebody else has opened it.
 */
const users = "globalThis[Symbol.for('opened inspector, users')]"
const enter = `${users} = 1`
const join = `${users} &&= ${users} + 1`
/** Closes a moment later, because the answer must leave before the connection is closed. */
const leave = `(() => {
  if (!${users} || --${users} > 0) return false
  delete ${users}
  setTimeout(() => process.getBuiltinModule('inspector').close(), 10)
  return true
})()`
/** A process that is busy, or does not answer at all, is left after this time. */
const leaveWithinMs = 10_000

export class Inspector extends Session implements AsyncDisposable {
  readonly url: string
  readonly #socket: WebSocket

  private constructor(url: string, socket: WebSocket) {
    super((text) => socket.send(text))
    this.url = url
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => this.receive(String(data)))
    socket.addEventListener('close', () => this.end(new Error('the process has ended, or its inspector was closed')))
  }

  /** @throws an Error when nobody listens there */
  static async connect(url: string): Promise<Inspector> {
    const socket = new WebSocket(url)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    socket.addEventListener('open', () => resolve())
    socket.addEventListener('error', () => reject(new Error(`no inspector listens at ${new URL(url).host}`)))
    await promise
    return new Inspector(url, socket)
  }

  /** Says that we have opened it, or that it was open. */
  async use(how: 'opened' | 'was open'): Promise<void> {
    await this.evaluate(how === 'opened' ? enter : join)
  }

  /**
   * Calls a function for each worker thread of the process, those that run and those that start, until the result is
   * disposed of.
   */
  async threads(found: (thread: Session, name: string) => void): Promise<AsyncDisposable> {
    const sessions = new Map<string, Session>()
    type Attached = { sessionId: string; workerInfo: { workerId: string; title: string; url: string } }
    const listeners = [
      this.on('NodeWorker.attachedToWorker', ({ sessionId, workerInfo: { workerId, url } }: Attached) => {
        const post = (message: string) =>
          void this.send('NodeWorker.sendMessageToWorker', { sessionId, message }).catch(() => {})
        const thread = new Session(post)
        sessions.set(sessionId, thread)
        found(thread, `thread ${workerId} (${url.split('/').at(-1)?.split('?', 1)[0] ?? url})`)
      }),
      this.on(
        'NodeWorker.receivedMessageFromWorker',
        ({ sessionId, message }: { sessionId: string; message: string }) => sessions.get(sessionId)?.receive(message),
      ),
      this.on('NodeWorker.detachedFromWorker', ({ sessionId }: { sessionId: string }) =>
        sessions.get(sessionId)?.end(new Error('the thread has ended')),
      ),
    ]
    await this.send('NodeWorker.enable', { waitForDebuggerOnStart: false })
    return {
      [Symbol.asyncDispose]: async () => {
        await this.send('NodeWorker.disable').catch(() => {})
        for (const listener of listeners) listener[Symbol.dispose]()
        for (const session of sessions.values()) session.end(new Error('the threads are left alone'))
      },
    }
  }

  /** Disconnects, but leaves the inspector open. */
  detach(): void {
    this.#socket.close()
  }

  /** Disconnects, and closes the inspector if it was opened for this. The process resumes if it was stopped. */
  async [Symbol.asyncDispose](): Promise<void> {
    let isLast = this.closing.aborted
    if (!this.closing.aborted) {
      // A process that stays stopped would close nothing.
      await this.send('Debugger.resume').catch(() => {})
      await this.send('Debugger.disable').catch(() => {})
      const leaving = this.evaluate<boolean>(leave).catch(() => false)
      isLast = await Promise.race([leaving, delay(leaveWithinMs, false, { ref: false })])
      // The process closes the connection. If both sides closed it at the same time, it could wait for ever for the other.
      if (isLast) await until(() => this.closing.aborted, { what: 'the process closes the connection' }).catch(() => {})
    }
    this.detach()
    const { hostname, port } = new URL(this.url)
    if (isLast) await until(() => isClosed(hostname, Number(port)), { what: 'the inspector is closed' }).catch(() => {})
  }
}

/** Returns whether nobody listens there. */
export function isClosed(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', () => resolve(true))
  })
}

/**
 * Opens the inspector of a child that was started with `inspectable`, and connects to it.
 *
 * @param lines its output, as it grows: one of them will name the address
 */
export async function inspect(
  program: Pick<Program<unknown>, 'pid' | 'process'>,
  lines: readonly string[],
): Promise<Inspector> {
  const before = lines.length
  if (program.process.exitCode === null && program.process.signalCode === null) openInspector(program.pid)
  const hasEnded = () => program.process.exitCode !== null || program.process.signalCode !== null
  const address = () =>
    lines
      .slice(before)
      .map((line) => listening.exec(line)?.[1])
      .find((url) => url !== undefined)
  await until(() => hasEnded() || address(), { timeoutMs: 20_000, what: 'the inspector is open' })
  const url = address()
  if (url === undefined) throw new Error('the process has ended: there is nothing to inspect')
  const inspector = await Inspector.connect(url)
  await inspector.use('opened')
  return inspector
}

/**
 * Opens the inspector of a child for an editor, at the port of its --inspect-port.
 *
 * @param lines its output, as it grows
 * @throws an Error with Node's message when it cannot listen there
 */
export async function openForEditor(
  { pid }: Pick<Program<unknown>, 'pid'>,
  lines: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  openInspector(pid)
  const said = () => lines.find((line) => /Debugger listening|Starting inspector.*failed/.test(line))
  const line = await until(said, { timeoutMs: 20_000, signal, what: 'the inspector is open' })
  if (!listening.test(line)) throw new Error(line)
}

const usualPort = 9229
const openWithinMs = 20_000
/** Whoever listens there may be no inspector, and never answer. On a busy machine an inspector answers late. */
const answerWithinMs = 10_000

/**
 * Connects to the inspector of a process that this program did not start, and opens it unless it is open.
 *
 * @param port where it listens if it is open already, 9229 by default. Where it will listen when it is opened is up to
 *   the process
 * @throws UsageError when there is no such process, when it is not Node (the signal would kill another program), or
 *   when its inspector is not at the given port: then it is as it was before
 */
export async function attach(pid: number, port?: number): Promise<Inspector> {
  await requireNode(pid)
  const before = await listeningPorts(pid)
  const open = await connectAt(port ?? usualPort)
  const found = await open?.evaluate<number>('process.pid')
  if (open && found === pid) {
    await open.use('was open')
    return open
  }
  // It belongs to another process.
  open?.detach()
  const accepts = `the port of the inspector of process ${pid}`
  if (found !== undefined && port !== undefined)
    throw new UsageError('--port', port, `${accepts}; process ${found} listens there`)

  openInspector(pid)
  const opened = async () => {
    const now = await listeningPorts(pid)
    // Where ports are not known, it is looked for where it usually is.
    const ports = now && before ? [...now].filter((each) => !before.has(each)) : [port ?? usualPort]
    for (const each of ports) {
      const inspector = await connectAt(each)
      if ((await inspector?.evaluate<number>('process.pid')) === pid) return inspector
      inspector?.detach()
    }
    return undefined
  }
  const inspector = await until(opened, { timeoutMs: openWithinMs, what: 'the inspector is open' }).catch(() => {
    throw new UsageError('--port', port, `${accepts}, which is open already, or could not listen at its port`)
  })
  await inspector.use('opened')
  const its = Number(new URL(inspector.url).port)
  if (port === undefined || port === its) return inspector
  await inspector[Symbol.asyncDispose]()
  throw new UsageError('--port', port, `${accepts}, which is ${its}`)
}

async function requireNode(pid: number): Promise<void> {
  const accepts = 'the id of a Node process that runs and is yours'
  if (process.platform !== 'win32') {
    const command = await promisify(execFile)('ps', ['-o', 'comm=', '-p', String(pid)]).then(
      ({ stdout }) => stdout.trim(),
      () => '',
    )
    if (command === '') throw new UsageError('--pid', pid, `${accepts}; this one has ended`)
    if (!/(^|\/)(node|MainThread)$/.test(command))
      throw new UsageError('--pid', pid, `${accepts}; this one is ${command}`)
  }
  try {
    process.kill(pid, 0)
  } catch (error) {
    throw new UsageError('--pid', pid, `${accepts}; ${(error as NodeJS.ErrnoException).code}`)
  }
}

/** Connects to the inspector at a port of loopback; undefined if there is none. */
async function connectAt(port: number): Promise<Inspector | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/json/list`, { signal: AbortSignal.timeout(answerWithinMs) })
    const [target] = (await response.json()) as { webSocketDebuggerUrl?: string }[]
    return target?.webSocketDebuggerUrl ? await Inspector.connect(target.webSocketDebuggerUrl) : undefined
  } catch {
    return undefined
  }
}

/** Asks a Node process to open its inspector. The signal would kill any other program. */
function openInspector(pid: number): void {
  // Windows has no such signal; Node uses shared memory there.
  if (process.platform === 'win32') (process as unknown as { _debugProcess: (pid: number) => void })._debugProcess(pid)
  else process.kill(pid, 'SIGUSR1')
}
