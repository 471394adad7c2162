/**
 * What was thrown, as something that can be shown and stored. JavaScript throws anything: null, a text, an Error whose
 * message is an object, an object whose getters throw. None of that may stop the program that reports it.
 */
import { inspect, types } from 'node:util'

const longestObject = 1_000

/**
 * Returns the message of an error, a text as it is, and one line for anything else. Never throws, and is never empty.
 */
export function messageOf(thrown: unknown): string {
  return shown(() => {
    if (typeof thrown === 'string') return thrown || 'an empty text was thrown'
    if (!isError(thrown)) return oneLine(thrown)
    const message: unknown = thrown.message
    if (message !== undefined && typeof message !== 'string') return oneLine(message)
    if (message) return message
    // Node rejects with an AggregateError without a message when no address of a host can be reached.
    const errors: unknown = 'errors' in thrown ? thrown.errors : undefined
    if (Array.isArray(errors) && errors.length > 0) return [...new Set(errors.map(messageOf))].join('; ')
    const code: unknown = 'code' in thrown ? thrown.code : undefined
    return String(code ?? (thrown.name || 'Error'))
  })
}

/**
 * Returns an Error whose name, message and stack are texts that can be read: the one that was thrown, or a new one with
 * what was thrown as its cause. Never throws.
 */
export function errorOf(thrown: unknown): Error {
  try {
    if (
      isError(thrown) &&
      [thrown.name, thrown.message, thrown.stack ?? ''].every((text) => typeof text === 'string')
    ) {
      return thrown
    }
  } catch {
    // A getter throws.
  }
  return new Error(messageOf(thrown), { cause: thrown })
}

/** An Error of this or of another realm, such as a `vm` context. */
const isError = (value: unknown): value is Error => value instanceof Error || types.isNativeError(value)

function oneLine(value: unknown): string {
  const text = inspect(value, { breakLength: Infinity, compact: true, depth: 3 }).replaceAll(/\s*\n\s*/g, ' ')
  return text.length > longestObject ? `${text.slice(0, longestObject)}…` : text
}

function shown(show: () => string): string {
  try {
    return show()
  } catch {
    return 'something was thrown that cannot be shown'
  }
}
