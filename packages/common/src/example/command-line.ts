/** The command line of an example or of another program: declared once, as zod schemas; parsing and `--help` follow. */
import { parseArgs } from 'node:util'
import type { z } from 'zod'
import { bold, dim } from '../output/terminal.ts'
import { endWith, watchOutput } from './interruption.ts'
import { acceptedBy, defaultOf, isFlag } from './options.ts'
import { describeError, UsageError } from './usage.ts'

export type Shape = Record<string, z.ZodType>
export type Values<S extends Shape> = { [Name in keyof S]: z.output<S[Name]> }

type CommandLine = { values: Record<string, string | boolean>; operands: string[] }

/** Switches that a program has besides its own options, and what `--help` says about them. */
export type Switches = Record<string, string>
const help: Switches = { help: 'this text' }
/** The switches of every example. */
export const exampleSwitches: Switches = {
  quick: 'the same in a few seconds',
  json: 'one JSON document on standard output',
  ...help,
}

/**
 * Reads the words of a command line. Values stay strings; `parseOptions` checks them.
 *
 * @throws a UsageError for an unknown option, a missing value, or an operand where none is taken
 */
export function parseCommandLine(
  schemas: Shape,
  argv: readonly string[],
  { switches, takesOperands }: { switches: Switches; takesOperands: boolean },
): CommandLine {
  const types: Record<string, 'boolean' | 'string'> = {}
  for (const [name, schema] of Object.entries(schemas)) types[kebab(name)] = isFlag(schema) ? 'boolean' : 'string'
  for (const name of Object.keys(switches)) types[name] = 'boolean'
  const accepted = Object.keys(types)
    .map((name) => `--${name}`)
    .join(', ')

  const { tokens } = parseArgs({
    args: joinValues(argv, types),
    options: { help: { type: 'boolean', short: 'h' } },
    strict: false,
    tokens: true,
  })
  const values: CommandLine['values'] = {}
  const operands: string[] = []
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') {
      if (!takesOperands) throw new UsageError('operand', token.value, `no operands, only ${accepted}`)
      operands.push(token.value)
      continue
    }
    const { name, rawName, value } = token
    const schema = schemas[camel(name)]
    if (!Object.hasOwn(types, name)) throw new UsageError('option', rawName, accepted)
    if (types[name] === 'boolean' && value !== undefined)
      throw new UsageError(rawName, value, 'no value: it is a switch')
    if (types[name] === 'string' && value === undefined)
      throw new UsageError(rawName, value, (schema && acceptedBy(schema)) ?? 'a value')
    values[camel(name)] = value ?? true
  }
  return { values, operands }
}

/**
 * Rewrites `--name value` as `--name=value`: parseArgs would mistake a value that begins with a minus for an option.
 */
function joinValues(argv: readonly string[], types: Record<string, string>): string[] {
  const end = argv.indexOf('--')
  const joined: string[] = []
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] as string
    const next = argv[at + 1]
    const takesNext = argument.startsWith('--') && types[argument.slice(2)] === 'string' && (end < 0 || at < end)
    if (takesNext && next !== undefined && !next.startsWith('--')) {
      joined.push(`${argument}=${next}`)
      at++
    } else joined.push(argument)
  }
  return joined
}

/**
 * Returns the values of options, checked and converted from their texts.
 *
 * @param preset replaces a schema's default
 * @throws a UsageError that names the first option whose value is not accepted
 */
export function parseOptions<S extends Shape>(
  schemas: S,
  given: Record<string, unknown>,
  preset: Partial<Values<S>> = {},
): Values<S> {
  const values: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(schemas)) {
    if (given[name] === undefined && Object.hasOwn(preset, name)) {
      values[name] = preset[name]
      continue
    }
    const parsed = schema.safeParse(given[name])
    if (!parsed.success) {
      throw new UsageError(`--${kebab(name)}`, given[name], parsed.error.issues[0]?.message ?? 'another value')
    }
    values[name] = parsed.data
  }
  return values as Values<S>
}

/** What `--help` prints: `text`, whose first line is the title, the usage line, and a line for each option. */
export function helpText({ usage, text }: { usage: string; text: string }, schemas: Shape, switches: Switches): string {
  const [title = '', ...about] = text.split('\n')
  const rows = Object.entries(schemas).map(([option, schema]): [string, string] => {
    const accepts = acceptedBy(schema)
    const preset = defaultOf(schema)
    return [
      `--${kebab(option)}${accepts === undefined ? '' : ' …'}`,
      [schema.description, accepts, preset === undefined ? undefined : `default ${preset}`].filter(Boolean).join('; '),
    ]
  })
  for (const [name, meaning] of Object.entries(switches)) rows.push([`--${name}`, meaning])
  const width = Math.max(...rows.map(([option]) => option.length)) + 2
  return [
    bold(title),
    ...about,
    '',
    bold(`Usage: ${usage}`),
    ...rows.map(([option, meaning]) => `  ${option.padEnd(width)}${dim(meaning)}`),
    '',
  ].join('\n')
}

export interface ProgramDeclaration<S extends Shape> {
  /** As in `Usage: …`, such as `pnpm --filter 04-celery worker [options]`. */
  usage: string
  /** What the program is for; the first line is the title. */
  text: string
  /** zod schemas from `./options.ts`, with `.default()` or `.optional()`, and `.describe()`. */
  options: S
  run: (options: Values<S>) => Promise<void>
}

/**
 * Runs a program that is not an example, such as a worker, with the options on its command line. `--help` prints them.
 * Errors become one line on standard error and the exit code 1, or 2 for a UsageError.
 */
export async function program<S extends Shape>(
  { usage, text, options, run }: ProgramDeclaration<S>,
  argv: readonly string[] = process.argv.slice(2),
): Promise<void> {
  watchOutput(endWith)
  try {
    // pnpm passes on the `--` of `pnpm worker -- --queues mail`.
    const words = argv[0] === '--' ? argv.slice(1) : argv
    const { values } = parseCommandLine(options, words, { switches: help, takesOperands: false })
    if (values.help) process.stdout.write(helpText({ usage, text }, options, help))
    else await run(parseOptions(options, values))
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`)
    process.exitCode = error instanceof UsageError ? 2 : 1
  }
}

const kebab = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
const camel = (name: string) => name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
