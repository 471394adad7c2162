/** The messages for a program that cannot do what the reader asked for. */
import { withoutControlCharacters } from '../output/control-characters.ts'
import { messageOf } from '../output/errors.ts'
import { maskPasswords } from '../output/secrets.ts'

/**
 * The reader asked for something impossible: the program ends with exit code 2 and one line that says what is accepted.
 */
export class UsageError extends Error {
  override name = 'UsageError'
  constructor(what: string, received: unknown, accepts: string) {
    super(`${what}: received ${quoted(received)}; accepts ${accepts}`)
  }
}

function quoted(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = withoutControlCharacters(String(value)).replaceAll(/\s+/g, ' ')
  return `"${text.length > 200 ? `${text.slice(0, 200)}…` : text}"`
}

/**
 * Returns one line for a reader, without secrets: the error's message and those of its causes. With DEBUG set, the stack
 * follows.
 */
export function describeError(error: unknown): string {
  const parts = new Set<string>()
  let stack: unknown
  try {
    const original = originalOf(error)
    // An error may be its own cause, by way of another one.
    const seen = new Set<unknown>()
    for (let at = original; !seen.has(at); at = at instanceof Error ? at.cause : undefined) {
      if (at === undefined && seen.size > 0) break
      seen.add(at)
      parts.add(messageOf(at))
    }
    if (process.env.DEBUG && original instanceof Error) stack = original.stack
  } catch {
    // It has a getter that throws.
    parts.add(messageOf(error))
  }
  const line = `error: ${shortened([...parts].join(': ').replaceAll(/\s*\n\s*/g, ' '))}`
  return withoutControlCharacters(maskPasswords(stack === undefined ? line : `${line}\n${shortened(String(stack))}`))
}

const longestMessage = 10_000
const shortened = (text: string) => (text.length > longestMessage ? `${text.slice(0, longestMessage)}…` : text)

/** When cleaning up fails as well, `using` throws a SuppressedError that holds both errors. */
function isSuppressed(error: unknown): error is Error & { error: unknown; suppressed: unknown } {
  return error instanceof Error && 'suppressed' in error
}

/** Returns the error that came first. */
export function originalOf(error: unknown): unknown {
  return isSuppressed(error) ? originalOf(error.suppressed) : error
}

/** Returns an Error with what went wrong in cleaning up after the first error; undefined if nothing did. */
export function cleanUpErrorOf(error: unknown): Error | undefined {
  const [, ...more] = inOrder(error)
  return more.length > 0 ? new Error(`not everything was cleaned up: ${more.map(messageOf).join('; ')}`) : undefined
}

const inOrder = (error: unknown): unknown[] =>
  isSuppressed(error) ? [...inOrder(error.suppressed), ...inOrder(error.error)] : [error]
