/**
 * JSON that changes no value without a word. JSON.stringify turns NaN into null and a Map into {}; JSON.parse turns
 * 9007199254740993, an ordinary integer in Python, into 9007199254740992.
 */

/** The standard's newer parts, which TypeScript's library does not declare yet. */
type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown
const { parse, rawJSON } = JSON as unknown as {
  parse: (text: string, reviver: Reviver) => unknown
  rawJSON: (text: string) => unknown
}

/** Only such a text can have a number that changes: one of many digits, or of a large power of ten. */
const mayChange = /\d{16}|\de\+?\d{3}/i

/**
 * Reads JSON. An integer that a number cannot hold exactly is a bigint, so a schema that expects a number refuses it.
 *
 * @throws SyntaxError for what is no JSON, and RangeError where a number is too large for a float
 */
export function readJson(text: string): unknown {
  if (!mayChange.test(text)) return JSON.parse(text)
  return parse(text, (_key, value, { source = '' }) => {
    if (typeof value !== 'number') return value
    if (/^-?\d+$/.test(source)) {
      return Number.isFinite(value) && BigInt(source) === BigInt(value) ? value : BigInt(source)
    }
    if (Number.isFinite(value)) return value
    throw new RangeError(`${source} is too large for a number`)
  })
}

export interface WriteOptions {
  /** Writes a bigint as the integer it is, for readers such as Python; by default it is refused. */
  bigints?: boolean
}

/**
 * Writes JSON; undefined becomes null. What has a `toJSON`, such as a Date, is written as that says, but not as null.
 *
 * @param what names the value in errors, such as `the result`
 * @throws TypeError for a value, or a part of it, that JSON would change
 */
export function writeJson(value: unknown, what: string, { bigints = false }: WriteOptions = {}): string {
  const refuse = (key: string, received: string): never => {
    throw new TypeError(`${what}: received ${received}${key === '' ? '' : ` at ${key}`}; accepts what JSON can carry`)
  }
  return JSON.stringify(value ?? null, function (this: unknown, key, each: unknown) {
    if (typeof each === 'bigint') return bigints ? rawJSON(String(each)) : refuse(key, 'a BigInt')
    if (typeof each === 'number' && !Number.isFinite(each)) return refuse(key, String(each))
    if (typeof each === 'function' || typeof each === 'symbol') return refuse(key, `a ${typeof each}`)
    if (each === undefined && Array.isArray(this)) return refuse(key, 'undefined in a list')
    if (isLost(each)) return refuse(key, `a ${each.constructor?.name ?? 'strange object'}`)
    // What `toJSON` was asked of: a Date that does not exist becomes null.
    const given: unknown = (this as Record<string, unknown>)[key]
    if (each === null && given !== null) return refuse(key, `a ${given?.constructor.name} that becomes null`)
    if (Object.is(each, -0)) return rawJSON('-0.0')
    // JSON.stringify writes the shortest digits that a number is read from, which are those of another integer.
    const isLarge = typeof each === 'number' && Math.abs(each) > Number.MAX_SAFE_INTEGER && Math.abs(each) < 1e21
    return isLarge ? rawJSON(String(BigInt(each))) : each
  })
}

/** What JSON writes as {}, such as a Map, because what it holds is no property of it; and binary data. */
function isLost(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return false
  return ArrayBuffer.isView(value) || Object.keys(value).length === 0
}
