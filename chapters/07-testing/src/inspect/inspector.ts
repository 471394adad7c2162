/**
 * The inspector of a running Node process, by the Chrome DevTools Protocol, which an editor's debugger speaks too. It
 * is opened in a process that was started without it, on loopback only, and closed afterwards.
 */
import { execFile } from 'node:child_process'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { aborted } from '@repo/common/async/abort'
import { until } from '@repo/common/async/until'
import { UsageError } from '@repo/common/example/usage'
import type { Program } from '@repo/common/process/child'

/** The environment for a process whose inspector is to take a free port when it is opened. This does not open it. */
export const inspectable = { NODE_OPTIONS: '--inspect-port=127.0.0.1:0' }

/** Node writes this line when the inspector is opened, with the address of its WebSocket. */
const listening = /Debugger listening on (ws:\/\/\S+)/

interface Script {
  id: string
  url: string
  endLine: number
  sourceMap: SourceMap | undefined
}

/** A place in a source file. Lines begin at 1, as in an editor. */
export interface Place {
  file: string
  line: number
}

/** Returns whether it is the program's own code, not Node's or a package's. */
export const isOwn = (place: Place | undefined): place is Place =>
  place?.file.startsWith('file:') === true && !place.file.includes('/node_modules/')

/** Returns the place as readers see it: `src/inspect/planted.ts:31`. */
export function placeText(place: Place | undefined): string {
  if (!place) return ''
  const path = place.file.split('?', 1)[0]?.split('/') ?? []
  const source = path.lastIndexOf('src')
  return `${path.slice(source < 0 ? -2 : source).join('/')}:${place.line}`
}

type Parameters = Record<string, unknown>

export class Inspector implements AsyncDisposable {
  readonly url: string
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  readonly #listeners = new Map<string, Set<(parameters: never) => void>>()
  readonly #scripts = new Map<string, Script>()
  readonly #closing = new AbortController()
  #last = 0

  private constructor(url: string, socket: WebSocket) {
    this.url = url
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => this.#receive(String(data)))
    socket.addEventListener('close', () => {
      this.#closing.abort(new Error('the process has ended, or its inspector was closed'))
      for (const { reject } of this.#waiting.values()) reject(this.#closing.signal.reason)
      this.#waiting.clear()
    })
    type Parsed = { scriptId: string; url: string; endLine: number; sourceMapURL?: string }
    this.on('Debugger.scriptParsed', ({ scriptId, url, endLine, sourceMapURL }: Parsed) => {
      this.#scripts.set(scriptId, { id: scriptId, url, endLine, sourceMap: readSourceMap(sourceMapURL) })
    })
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

  /** Sends a command and returns its result. The protocol's documentation says what each command takes and returns. */
  async send<Result = unknown>(method: string, parameters: Parameters = {}): Promise<Result> {
    this.#closing.signal.throwIfAborted()
    const id = ++this.#last
    const answer = Promise.withResolvers<unknown>()
    this.#waiting.set(id, answer)
    this.#socket.send(JSON.stringify({ id, method, params: parameters }))
    return (await answer.promise) as Result
  }

  /** Calls the listener with each event of this name, until the result is disposed of. */
  on<Event>(method: string, listener: (parameters: Event) => void): Disposable {
    const listeners = this.#listeners.get(method) ?? new Set()
    this.#listeners.set(method, listeners.add(listener))
    return { [Symbol.dispose]: () => void listeners.delete(listener) }
  }

  /** Returns the next event of this name; rejected when the process ends before. */
  async once<Event>(method: string): Promise<Event> {
    const { promise, resolve } = Promise.withResolvers<Event>()
    using _listener = this.on(method, resolve)
    return await Promise.race([promise, aborted(this.#closing.signal)])
  }

  /** Waits while the process keeps running; rejected when it ends. */
  async wait(ms: number, signal?: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([this.#closing.signal, ...(signal ? [signal] : [])])
    // The signal's own reason says more than the error from delay.
    await delay(ms, undefined, { signal: stop }).catch(() => stop.throwIfAborted())
  }

  #receive(text: string) {
    const message = JSON.parse(text) as {
      id?: number
      result?: unknown
      error?: { message: string }
      method?: string
      params?: never
    }
    if (message.id !== undefined) {
      const answer = this.#waiting.get(message.id)
      this.#waiting.delete(message.id)
      if (message.error) answer?.reject(new Error(message.error.message))
      else answer?.resolve(message.result)
    } else for (const listener of this.#listeners.get(message.method ?? '') ?? []) listener(message.params as never)
  }

  /** Returns the value of an expression in the process, as far as JSON can represent it. */
  async evaluate<Value>(expression: string): Promise<Value> {
    type Answer = {
      result: { value: Value }
      exceptionDetails?: { exception?: { description?: string }; text: string }
    }
    const { result, exceptionDetails } = await this.send<Answer>('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
    })
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  }

  /**
   * Returns the line of the TypeScript file from which a place in the running code comes. Call Debugger.enable first.
   */
  sourceOf(scriptId: string, line: number, column: number): Place | undefined {
    const script = this.#scripts.get(scriptId)
    if (!script?.url) return undefined
    const entry = script.sourceMap?.findEntry(line, column)
    const original = entry && 'originalLine' in entry ? entry.originalLine : line
    return { file: script.url, line: original + 1 }
  }

  /**
   * Returns the place in the running code that comes from a line of a source file, for a breakpoint; undefined if no
   * code comes from it.
   */
  generatedFrom(
    file: string,
    line: number,
  ): { scriptId: string; lineNumber: number; columnNumber: number } | undefined {
    const script = [...this.#scripts.values()].find(({ url }) => url.split('?')[0] === file)
    if (!script) return undefined
    if (!script.sourceMap) return { scriptId: script.id, lineNumber: line - 1, columnNumber: 0 }
    // A source map leads from the code to its source; the reverse needs a search. Compiled code is often one long line.
    for (let lineNumber = 0; lineNumber <= script.endLine; lineNumber++) {
      const last = script.sourceMap.findEntry(lineNumber, Number.MAX_SAFE_INTEGER)
      if (!('generatedColumn' in last) || last.generatedLine !== lineNumber) continue
      for (let column = 0; column <= last.generatedColumn; column++) {
        const entry = script.sourceMap.findEntry(lineNumber, column)
        if ('originalLine' in entry && entry.originalLine === line - 1 && entry.generatedLine === lineNumber) {
          return { scriptId: script.id, lineNumber, columnNumber: entry.generatedColumn }
        }
      }
    }
    return undefined
  }

  /** Disconnects, but leaves the inspector open. */
  detach(): void {
    this.#socket.close()
  }

  /** Closes the inspector and disconnects. The process resumes if it was stopped. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closing.signal.aborted) {
      // A moment later, because the answer must leave before the connection is closed.
      await this.evaluate("setTimeout(() => process.getBuiltinModule('inspector').close(), 10) && 0").catch(() => {})
      // The process closes the connection. If both sides closed it at the same time, it could wait for ever for the other.
      await until(() => this.#closing.signal.aborted, { what: 'the process closes the connection' }).catch(() => {})
    }
    this.detach()
    const { hostname, port } = new URL(this.url)
    await until(() => isClosed(hostname, Number(port)), { what: 'the inspector is closed' }).catch(() => {})
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
  return await Inspector.connect(url)
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

/**
 * Opens the inspector of a process that this program did not start, and connects to it.
 *
 * @param port where it will listen: 9229, unless the process was started with a different --inspect-port
 * @throws UsageError when there is no such process, when it is not Node (the signal would kill another program), or
 *   when another process listens there
 */
export async function attach(pid: number, port: number): Promise<Inspector> {
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
    openInspector(pid)
  } catch (error) {
    throw new UsageError('--pid', pid, `${accepts}; ${(error as NodeJS.ErrnoException).code}`)
  }
  const list = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/json/list`)
    const [target] = (await response.json()) as { webSocketDebuggerUrl: string }[]
    return target?.webSocketDebuggerUrl
  }
  const url = await until(list, { timeoutMs: 20_000, what: `process ${pid} listens on port ${port}` })
  const inspector = await Inspector.connect(url)
  const found = await inspector.evaluate<number>('process.pid')
  if (found !== pid) {
    // It belongs to another process, and was already open.
    inspector.detach()
    throw new UsageError('--port', port, `the port of the inspector of process ${pid}; process ${found} listens there`)
  }
  return inspector
}

/** Asks a Node process to open its inspector. The signal would kill any other program. */
function openInspector(pid: number): void {
  // Windows has no such signal; Node uses shared memory there.
  if (process.platform === 'win32') (process as unknown as { _debugProcess: (pid: number) => void })._debugProcess(pid)
  else process.kill(pid, 'SIGUSR1')
}

function readSourceMap(url: string | undefined): SourceMap | undefined {
  const [, json] = /^data:application\/json;(?:charset=[^;]+;)?base64,(.*)$/s.exec(url ?? '') ?? []
  return json === undefined
    ? undefined
    : new SourceMap(JSON.parse(Buffer.from(json, 'base64').toString()) as SourceMapPayload)
}
