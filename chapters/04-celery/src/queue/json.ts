/**
 * Arguments and results travel as JSON, which changes some values without a word: NaN becomes null, a Date a text, a Map
 * an empty object. Such values are refused, by the compiler where it can see them and here where it cannot.
 */

/** A type as JSON carries it: with `never` where it would change a value. */
export type Carried<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends bigint | symbol | ((...args: never[]) => unknown)
    ? never
    : T extends object
      ? { [K in keyof T]: Carried<T[K]> }
      : T

/**
 * A value as JSON.
 *
 * @param onConverted called when an object is replaced by what its `toJSON` returns; without it, such objects are refused
 * @throws a TypeError of one line that says which part JSON would change
 */
export function jsonOf(value: unknown, onConverted?: () => void): string {
  let text: string | undefined
  let wrong: string | undefined
  try {
    text = JSON.stringify(value)
    wrong = changed(value, onConverted)
  } catch (error) {
    // A circle, a bigint, a `toJSON` or a getter that throws. Node draws a circle on several lines.
    const [reason] = error instanceof Error ? error.message.split('\n') : []
    throw new TypeError(`JSON cannot carry it: ${reason ?? 'it cannot be written'}`)
  }
  // What is undefined arrives as null: there is no other way to say that a task returned nothing.
  if (value === undefined || text === undefined) text = 'null'
  if (wrong !== undefined) throw new TypeError(`JSON cannot carry ${wrong}`)
  return text
}

/** The first part of a value that JSON would change: `NaN at rates.0`. */
function changed(value: unknown, onConverted?: () => void, path: (string | number)[] = []): string | undefined {
  const at = () => (path.length > 0 ? ` at ${path.join('.')}` : '')
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `${value}${at()}`
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}${at()}`
  if (typeof value !== 'object' || value === null) return undefined
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    if (!onConverted) return `${kindOf(value)}${at()}`
    onConverted()
    const converted: unknown = value.toJSON(String(path.at(-1) ?? ''))
    // Such as a Date that does not exist.
    if (converted === null || converted === undefined) return `${kindOf(value)} that becomes ${converted}${at()}`
    // A second conversion is not made.
    return typeof converted === 'object' && 'toJSON' in converted
      ? `${kindOf(converted)}${at()}`
      : changed(converted, onConverted, path)
  }
  if (Array.isArray(value)) return changedItem(value, onConverted, path)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return `${kindOf(value)}${at()}`
  for (const [key, part] of Object.entries(value)) {
    path.push(key)
    const wrong = changed(part, onConverted, path)
    if (wrong !== undefined) return wrong
    path.pop()
  }
  return undefined
}

function kindOf(value: object): string {
  const made: unknown = value.constructor
  return typeof made === 'function' ? `a ${made.name}` : 'an object of no class'
}

function changedItem(
  list: readonly unknown[],
  onConverted: (() => void) | undefined,
  path: (string | number)[],
): string | undefined {
  for (let at = 0; at < list.length; at++) {
    const item = list[at]
    path.push(at)
    if (item === undefined) return `undefined at ${path.join('.')}`
    const wrong = changed(item, onConverted, path)
    if (wrong !== undefined) return wrong
    path.pop()
  }
  return undefined
}
