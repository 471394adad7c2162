/**
 * The inspector of a running Node process, by the Chrome DevTools Protocol: what an editor's debugger speaks. It is opened in a
 * process that was started without it, on loopback only, and closed afterwards.
 */
import { SourceMap, type SourceMapPayload } from 'node:module'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { aborted } from '@repo/common/async/abort'
import { until } from '@repo/common/async/until'
import type { Program } from '@repo/common/process/child'

/** NODE_OPTIONS of a process whose inspector takes a free port when it is opened. It is not opened by this. */
export const inspectable = { NODE_OPTIONS: '--inspect-port=127.0.0.1:0' }

/** A line that Node writes when the inspector is opened, with the address of its WebSocket. */
const listening = /Debugger listening on (ws:\/\/\S+)/

interface Script {
  id: string
  url: string
  endLine: number
  sourceMap: SourceMap | undefined
}

/** A place in a source file: lines from 1, as an editor counts. */
export interface Place {
  file: string
  line: number
}

/** Whether it is code of the process's own: not Node's, and not a package's. */
export const isOwn = (place: Place | undefined): place is Place =>
  place?.file.startsWith('file:') === true && !place.file.includes('/node_modules/')

/** For a reader: `src/inspect/planted.ts:31`. */
export const placeText = (place: Place | undefined): string =>
  place ? `${place.file.split('/').slice(-2).join('/').split('?')[0]}:${place.line}` : ''

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

  /** Sends a command and returns its result; the protocol's own page says what each takes and returns. */
  async send<Result = unknown>(method: string, parameters: Parameters = {}): Promise<Result> {
    this.#closing.signal.throwIfAborted()
    const id = ++this.#last
    const answer = Promise.withResolvers<unknown>()
    this.#waiting.set(id, answer)
    this.#socket.send(JSON.stringify({ id, method, params: parameters }))
    return (await answer.promise) as Result
  }

  /** Calls the listener with each event of this name, until what is returned is disposed of. */
  on<Event>(method: string, listener: (parameters: Event) => void): Disposable {
    const listeners = this.#listeners.get(method) ?? new Set()
    this.#listeners.set(method, listeners.add(listener))
    return { [Symbol.dispose]: () => void listeners.delete(listener) }
  }

  /** The next event of this name; rejected when the process ends before. */
  async once<Event>(method: string): Promise<Event> {
    const { promise, resolve } = Promise.withResolvers<Event>()
    using _listener = this.on(method, resolve)
    return await Promise.race([promise, aborted(this.#closing.signal)])
  }

  /** Lets some time pass, in which the process is to go on; rejected when it ends. */
  async wait(ms: number, signal?: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([this.#closing.signal, ...(signal ? [signal] : [])])
    // The signal's own reason says more than delay's error.
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

  /** The value of an expression in the process, as far as JSON carries it. */
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

  /** Where a place of the running code comes from: the line of the TypeScript file that was translated. After Debugger.enable. */
  sourceOf(scriptId: string, line: number, column: number): Place | undefined {
    const script = this.#scripts.get(scriptId)
    if (!script?.url) return undefined
    const entry = script.sourceMap?.findEntry(line, column)
    const original = entry && 'originalLine' in entry ? entry.originalLine : line
    return { file: script.url, line: original + 1 }
  }

  /** The place of the running code that a line of a source file became, for a breakpoint; undefined where nothing did. */
  generatedFrom(
    file: string,
    line: number,
  ): { scriptId: string; lineNumber: number; columnNumber: number } | undefined {
    const script = [...this.#scripts.values()].find(({ url }) => url.split('?')[0] === file)
    if (!script) return undefined
    if (!script.sourceMap) return { scriptId: script.id, lineNumber: line - 1, columnNumber: 0 }
    // A map leads from the code to its source; the way back is a search. Translated code often stands in one long line.
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

  /** Lets go of the process, and leaves its inspector open. */
  detach(): void {
    this.#socket.close()
  }

  /** Lets go of the process, which goes on if it was stopped, and closes its inspector. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closing.signal.aborted) {
      // Later: closing waits for this connection to be gone.
      await this.evaluate("setTimeout(() => process.getBuiltinModule('inspector').close(), 10) && 0").catch(() => {})
    }
    this.detach()
    const { hostname, port } = new URL(this.url)
    await until(() => isClosed(hostname, Number(port)), { what: 'the inspector is closed' }).catch(() => {})
  }
}

/** Whether nobody listens there. */
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
 * @param lines of its output; the one that names the address is waited for
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
 * @param lines of its output
 * @throws an Error with what Node says when it cannot listen there
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

/** Asks a Node process to open its inspector; another kind of program would be ended by this signal. */
export function openInspector(pid: number): void {
  // Windows has no such signal; there Node does the same through shared memory.
  if (process.platform === 'win32') (process as unknown as { _debugProcess: (pid: number) => void })._debugProcess(pid)
  else process.kill(pid, 'SIGUSR1')
}

function readSourceMap(url: string | undefined): SourceMap | undefined {
  const [, json] = /^data:application\/json;(?:charset=[^;]+;)?base64,(.*)$/s.exec(url ?? '') ?? []
  return json === undefined
    ? undefined
    : new SourceMap(JSON.parse(Buffer.from(json, 'base64').toString()) as SourceMapPayload)
}
