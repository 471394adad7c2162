/** Which line of the reader's file is being executed. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { errorOf } from '@repo/common/output/errors'

let subject: string | undefined

/** Names the file that is being checked, by its URL. */
export function watchLines(url: string): void {
  subject = url
}

/**
 * Returns the URL of the file that is being checked.
 *
 * @throws an Error if there is none
 */
export function subjectUrl(): string {
  if (subject === undefined) throw new Error('no file is being checked')
  return subject
}

/**
 * Returns the line, from 1, of the reader's file that called, directly or through others; undefined if none of its lines
 * did.
 */
export const callingLine = (): number | undefined => callingPlace()()

/** Remembers who called, which takes little time. The returned function looks for the line, as `callingLine` does. */
export function callingPlace(): () => number | undefined {
  const { stackTraceLimit } = Error
  // Between the reader's line and ours there may be many of Node's own.
  Error.stackTraceLimit = 30
  const here = new Error()
  Error.stackTraceLimit = stackTraceLimit
  return () => lineIn(here.stack)
}

/** The lines that caused errors which were made elsewhere. */
const blamed = new WeakMap<object, () => number | undefined>()

/** Remembers where in the reader's file an error was caused that was made elsewhere, such as by a simulated disk. */
export function blame(error: unknown, place: () => number | undefined): void {
  if (typeof error === 'object' && error !== null && !blamed.has(error)) blamed.set(error, place)
}

/** Returns the line of the reader's file from which an error comes. */
export function lineOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  return (error instanceof Error ? lineIn(errorOf(error).stack) : undefined) ?? blamed.get(error)?.()
}

/** Returns the innermost line of the reader's file in a stack trace. */
export function lineIn(stack: string | undefined): number | undefined {
  if (subject === undefined || stack === undefined) return undefined
  for (const name of [subject, fileURLToPath(subject)]) {
    for (const after of stack.split(name).slice(1)) {
      // A checker may have loaded the file more than once: then its URL has a query.
      const [, line] = /^(?:\?\w+)?:(\d+)/.exec(after) ?? []
      if (line !== undefined) return Number(line) || undefined
    }
  }
  return undefined
}

/**
 * Returns the line of the reader's file that declares a function, method or class; undefined if there is none of this
 * name. For checks of functions that run to their end and leave no steps.
 */
export function declaredAt(name: string): number | undefined {
  const lines = readFileSync(fileURLToPath(subjectUrl()), 'utf8').split('\n')
  const declaration = new RegExp(`^\\s*(export\\s+)?(async\\s+)?(function\\b\\s*\\*?|const|let|class)\\s*${name}\\b`)
  const method = new RegExp(`^\\s*((public|private|static|async|get|set)\\s+)*[*#]?${name}\\s*[(<].*\\{$`)
  const at = lines.findIndex((line) => declaration.test(line))
  return (at >= 0 ? at : lines.findIndex((line) => method.test(line))) + 1 || undefined
}

/**
 * Returns the line of the reader's file that reads from a value last, when a function gets it: there the function made up
 * its mind. Of an asynchronous function, only what it does at once counts.
 *
 * @param value plain data; the function gets a copy
 */
export function lastReading<Value extends object>(value: Value, call: (copy: Value) => unknown): number | undefined {
  let line: number | undefined
  const watched = <Part>(part: Part): Part => {
    if (typeof part !== 'object' || part === null) return part
    const reads = <Result>(result: Result): Result => {
      line = callingLine() ?? line
      return result
    }
    return new Proxy(part, {
      get: (target, key) => watched(reads(Reflect.get(target, key))),
      has: (target, key) => reads(Reflect.has(target, key)),
      ownKeys: (target) => reads(Reflect.ownKeys(target)),
    })
  }
  try {
    // The outcome is known already.
    Promise.resolve(call(watched(structuredClone(value)))).catch(() => {})
  } catch {
    // That too.
  }
  return line
}
