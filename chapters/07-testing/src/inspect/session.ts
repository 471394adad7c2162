/** A session of the Chrome DevTools Protocol with one thread: commands, events, and the places of its code. */
import { setTimeout as delay } from 'node:timers/promises'
import { generatedPositionFor, LEAST_UPPER_BOUND, originalPositionFor, type TraceMap } from '@jridgewell/trace-mapping'
import { aborted } from '@repo/common/async/abort'
import { readSourceMap } from './source-map.ts'

/** A place in a source file. Lines begin at 1, as in an editor. */
export interface Place {
  file: string
  line: number
}

/** Returns whether it is the program's own code, not Node's or a package's. */
export const isOwn = (place: Place | undefined): place is Place =>
  place !== undefined && /^(file|webpack):/.test(place.file) && !place.file.includes('/node_modules/')

/** Returns the place as readers see it: `src/inspect/planted.ts:31`. */
export function placeText(place: Place | undefined): string {
  if (!place) return ''
  const path = place.file.split('?', 1)[0]?.split('/') ?? []
  const source = path.lastIndexOf('src')
  return `${path.slice(source < 0 ? -2 : source).join('/')}:${place.line}`
}

interface Script {
  id: string
  url: string
  mapUrl: string | undefined
  /** Read when it is first needed; null when there is none. */
  map?: TraceMap | null
}

type Parameters = Record<string, unknown>

export class Session {
  readonly #post: (text: string) => void
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  readonly #listeners = new Map<string, Set<(parameters: never) => void>>()
  readonly #scripts = new Map<string, Script>()
  readonly #closing = new AbortController()
  #last = 0

  constructor(post: (text: string) => void) {
    this.#post = post
    type Parsed = { scriptId: string; url: string; sourceMapURL?: string }
    this.on('Debugger.scriptParsed', ({ scriptId, url, sourceMapURL }: Parsed) => {
      this.#scripts.set(scriptId, { id: scriptId, url, mapUrl: sourceMapURL || undefined })
    })
  }

  /** Aborted when the session has ended. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** Ends the session: what waits for an answer is rejected with the reason. */
  end(reason: Error): void {
    this.#closing.abort(reason)
    for (const { reject } of this.#waiting.values()) reject(reason)
    this.#waiting.clear()
  }

  /** Sends a command and returns its result. The protocol's documentation says what each command takes and returns. */
  async send<Result = unknown>(method: string, parameters: Parameters = {}): Promise<Result> {
    this.closing.throwIfAborted()
    const id = ++this.#last
    const answer = Promise.withResolvers<unknown>()
    this.#waiting.set(id, answer)
    this.#post(JSON.stringify({ id, method, params: parameters }))
    return (await answer.promise) as Result
  }

  /** Calls the listener with each event of this name, until the result is disposed of. */
  on<Event>(method: string, listener: (parameters: Event) => void): Disposable {
    const listeners = this.#listeners.get(method) ?? new Set()
    this.#listeners.set(method, listeners.add(listener))
    return { [Symbol.dispose]: () => void listeners.delete(listener) }
  }

  /** Returns the next event of this name; rejected when the session ends before. */
  async once<Event>(method: string): Promise<Event> {
    const { promise, resolve } = Promise.withResolvers<Event>()
    using _listener = this.on(method, resolve)
    return await Promise.race([promise, aborted(this.closing)])
  }

  /** Waits while the session lasts; rejected when it ends. */
  async wait(ms: number, signal?: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([this.closing, ...(signal ? [signal] : [])])
    // The signal's own reason says more than the error from delay.
    await delay(ms, undefined, { signal: stop }).catch(() => stop.throwIfAborted())
  }

  /** Takes a message from the other side. */
  receive(text: string): void {
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

  /** Returns the value of an expression in the thread, as far as JSON can represent it. */
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

  /** Returns where a script comes from. As for all places, call Debugger.enable first. */
  readonly urlOf = (scriptId: string): string | undefined => this.#scripts.get(scriptId)?.url || undefined

  /** Returns the line of the source file from which a place in the running code comes. Its numbers begin at 0. */
  readonly sourceOf = (scriptId: string, line: number, column: number): Place | undefined => {
    const script = this.#scripts.get(scriptId)
    if (!script?.url) return undefined
    const map = mapOf(script)
    const original = map && originalPositionFor(map, { line: line + 1, column })
    // What a compiler has added comes from nowhere.
    return original?.source ? { file: original.source, line: original.line } : { file: script.url, line: line + 1 }
  }

  /**
   * Returns the place in the running code that comes from a line of a source file, for a breakpoint: in the file itself,
   * or in what was compiled or bundled from it; undefined if no code comes from it.
   */
  generatedFrom(file: string, line: number): Generated | undefined {
    for (const script of this.#scripts.values()) {
      const map = mapOf(script)
      const isItself = script.url.split('?')[0] === file
      if (isItself && !map) return { scriptId: script.id, lineNumber: line - 1, columnNumber: 0 }
      if (!map?.resolvedSources.includes(file)) continue
      const place = generatedPositionFor(map, { source: file, line, column: 0, bias: LEAST_UPPER_BOUND })
      if (place.line !== null) return { scriptId: script.id, lineNumber: place.line - 1, columnNumber: place.column }
    }
    return undefined
  }
}

/** A place in the running code. Its numbers begin at 0, as in the protocol. */
export interface Generated {
  scriptId: string
  lineNumber: number
  columnNumber: number
}

function mapOf(script: Script): TraceMap | null {
  script.map ??= script.mapUrl ? (readSourceMap(script.mapUrl, script.url) ?? null) : null
  return script.map
}
