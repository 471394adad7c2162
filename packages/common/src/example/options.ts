/**
 * Types of options: zod schemas that parse the text of the command line.
 *
 * Each one says in words what it accepts. Readers see these words in `--help` and after a wrong value.
 * `.default(value)` gives an option a default, and `.describe(text)` its line in `--help`.
 */
import { resolve } from 'node:path'
import { z } from 'zod'
import { coreCount } from '../cores.ts'

/**
 * Returns a schema.
 *
 * @param accepts says what is accepted; `--help` finds it in the schema's metadata
 * @param parse returns undefined for a text that is not accepted
 * @param write turns a value back into its text, for the default in `--help`
 */
export function accepting<T>(
  accepts: string,
  parse: (text: string) => T | undefined,
  write: (value: T) => string = String,
) {
  return z
    .string()
    .transform((text, context) => {
      const value = parse(text)
      if (value !== undefined) return value
      context.addIssue(accepts)
      return z.NEVER
    })
    .meta({ accepts, write })
}

/** A whole number within bounds, both included, written in plain digits. */
export function wholeNumber(min: number, max: number) {
  return accepting(`a whole number from ${min} to ${max}`, (text) => inside(/^[+-]?\d+$/, text, min, max))
}

/** A finite number within bounds, both included: `2`, `-0.75`, `1e6`. */
export function number(min = -Number.MAX_VALUE, max = Number.MAX_VALUE) {
  const bounds = [
    min > -Number.MAX_VALUE ? ` from ${min}` : '',
    max < Number.MAX_VALUE ? `${min > -Number.MAX_VALUE ? '' : ' up'} to ${max}` : '',
  ].join('')
  return accepting(`a number${bounds}`, (text) => inside(/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, text, min, max))
}

function inside(form: RegExp, text: string, min: number, max: number): number | undefined {
  // With + 0, as readers do not know −0.
  const value = form.test(text) ? Number(text) + 0 : Number.NaN
  return value >= min && value <= max ? value : undefined
}

export interface ListOptions {
  min?: number
  max?: number
  /** No item may occur twice. */
  distinct?: boolean
  /** Each item must be greater than the one before it. */
  ascending?: boolean
}

/** A comma-separated list of items of another type. `accepts` describes it, such as "two numbers X,Y". */
export function listOf<T>(
  item: z.ZodType<T>,
  accepts: string,
  { min = 1, max = 1000, distinct = false, ascending = false }: ListOptions = {},
) {
  return accepting(accepts, (text) => {
    const items = text.split(',').map((part) => item.safeParse(part.trim()))
    const values = items.flatMap((part) => (part.success ? [part.data] : []))
    const complete = values.length === items.length && values.length >= min && values.length <= max
    const repeats = distinct && new Set(values).size < values.length
    const falls = ascending && values.some((value, at) => value <= values[at - 1])
    return complete && !repeats && !falls ? values : undefined
  })
}

export const largestSeed = 2 ** 31 - 1

/** A seed of random numbers: the same seed repeats them. */
export function seedNumber() {
  return wholeNumber(0, largestSeed)
}

/** A number of workers: by default the number of cores that this process may use, but at most `max`. */
export function workerCount(max = 256) {
  return wholeNumber(1, max).default(Math.min(max, coreCount()))
}

/** One of a few words. */
export function oneOf<const Word extends string>(...words: Word[]) {
  return accepting(`one of ${words.join(', ')}`, (text) => words.find((word) => word === text))
}

/** A path, which `pathFromReader` makes absolute. */
export function path(accepts = 'a path') {
  return accepting(accepts, (text) => (text === '' ? undefined : pathFromReader(text)))
}

/**
 * Returns the absolute path for one from the command line. A relative path starts in the reader's current folder.
 * Package managers change to the package's folder before they run a script, and leave the reader's folder in INIT_CWD.
 */
export function pathFromReader(text: string): string {
  return resolve(process.env.INIT_CWD ?? '.', text)
}

/** A switch: an option without a value. */
export function flag() {
  return z.boolean().default(false)
}

/** Says what a schema accepts, also below `.default()` and `.optional()`. Returns undefined for switches. */
export function acceptedBy(schema: z.ZodType): string | undefined {
  return aboutItself(schema)?.accepts
}

/** Returns the default of an option as a reader would write it; undefined for switches and without a default. */
export function defaultOf(schema: z.ZodType): string | undefined {
  const value = schema.safeParse(undefined).data
  return value === undefined ? undefined : aboutItself(schema)?.write(value)
}

function aboutItself(schema: z.ZodType): { accepts: string; write: (value: unknown) => string } | undefined {
  const about = schema.meta() as ReturnType<typeof aboutItself>
  if (about?.accepts !== undefined) return about
  const inner = innerType(schema)
  return inner && aboutItself(inner)
}

/** Whether an option is a switch. */
export function isFlag(schema: z.ZodType): boolean {
  const inner = innerType(schema)
  return inner ? isFlag(inner) : schema instanceof z.ZodBoolean
}

function innerType(schema: z.ZodType): z.ZodType | undefined {
  return schema instanceof z.ZodDefault || schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : undefined
}
