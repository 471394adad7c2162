/** A program's command line: declared once, as zod schemas; parsing and `--help` come from that. */
import { parseArgs } from 'node:util'
import type { z } from 'zod'
import { bold, dim } from '../output/terminal.ts'
import { acceptedBy, defaultOf, isFlag } from './options.ts'
import { UsageError } from './usage.ts'

export type Shape = Record<string, z.ZodType>
export type Values<S extends Shape> = { [Name in keyof S]: z.output<S[Name]> }

/** What every example knows beside its own options; a worker or other program may know fewer. */
const switchMeanings = {
  quick: 'the same in a few seconds',
  json: 'one JSON document on standard output',
  help: 'this text',
}
type Switch = keyof typeof switchMeanings
const allSwitches = Object.keys(switchMeanings) as Switch[]

type CommandLine = { values: Record<string, string | boolean>; operands: string[] }

/** Reads the words of a command line; options keep their texts. Throws a UsageError. */
export function parseCommandLine(
  schemas: Shape,
  takesOperands: boolean,
  argv: string[],
  switches: readonly Switch[] = allSwitches,
): CommandLine {
  const types: Record<string, 'boolean' | 'string'> = {}
  for (const [name, schema] of Object.entries(schemas)) types[kebab(name)] = isFlag(schema) ? 'boolean' : 'string'
  for (const name of switches) types[name] = 'boolean'
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

/** Writes `--name value` as `--name=value`: parseArgs would take a value that begins with a minus for an option. */
function joinValues(argv: string[], types: Record<string, string>): string[] {
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

/** The values of options from their texts, checked. Throws a UsageError. */
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

/** What `--help` prints: the header comment's `text`, and a line for each option. */
export function helpText(
  { name, text }: { name: string; text: string },
  schemas: Shape,
  operands?: string,
  switches: readonly Switch[] = allSwitches,
): string {
  const [title = '', ...about] = text.split('\n')
  const rows = Object.entries(schemas).map(([option, schema]) => {
    const accepts = acceptedBy(schema)
    const preset = defaultOf(schema)
    return [
      `--${kebab(option)}${accepts === undefined ? '' : ' …'}`,
      [schema.description, accepts, preset === undefined ? undefined : `default ${preset}`].filter(Boolean).join('; '),
    ]
  })
  for (const name of switches) rows.push([`--${name}`, switchMeanings[name]])
  const width = Math.max(...rows.map(([option = '']) => option.length)) + 2
  return [
    bold(title),
    ...about,
    '',
    bold(`Usage: ${name} [options]${operands ? ` ${operands}` : ''}`),
    ...rows.map(([option = '', meaning]) => `  ${option.padEnd(width)}${dim(meaning ?? '')}`),
    '',
  ].join('\n')
}

const kebab = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
const camel = (name: string) => name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
