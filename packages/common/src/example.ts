/**
 * Declares an example: a program of a chapter that runs from the command line, inside a test and in the tour.
 *
 * The file's header comment is its documentation: the first line is `name: summary`, the rest is what `--help` prints
 * above the options. What `run` returns is the JSON document of `--json`; what it prints is for readers.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs, stripVTControlCharacters } from 'node:util'
import type { z } from 'zod'
import { acceptedBy, defaultOf, isFlag } from './options.ts'
import { bold, dim } from './terminal.ts'

type Shape = Record<string, z.ZodType>
type Values<S extends Shape> = { [Name in keyof S]: z.output<S[Name]> }

/** What an example's `run` is handed beside its options. */
export interface Context {
  /** Aborted by Ctrl-C and SIGTERM: hand it to everything that waits. */
  signal: AbortSignal
  /** Whether `--quick` was given: the same work in a few seconds. */
  quick: boolean
  /** What stands on the command line beside the options, as texts. */
  operands: string[]
  /** Writes lines for the reader to standard output; silent under `--json` and when another program runs the example. */
  print: (...lines: string[]) => void
  /** Writes a picture (`name` with its ending, `.svg` or `.png`) to `out/<chapter>/` and returns its absolute path. */
  picture: (name: string, content: string | Uint8Array) => Promise<string>
}

export interface Declaration<S extends Shape, Result> {
  /** zod schemas from `./options.ts`, each with `.default()` (or `.optional()`) and `.describe()`. */
  options: S
  /** What `--quick` sets where the reader gives no value. */
  quick?: Partial<Values<S>>
  /** The operands as they appear in the usage line, such as `PATTERN [FILE…]`; without it there may be none. */
  operands?: string
  /** Does the work; its result is what `--json` prints. */
  run: (options: Values<S>, context: Context) => Promise<Result>
  /** The result in a few words, for the tour's table. */
  figure: (result: Result) => string
  /** How long it may clean up after Ctrl-C; 10 s. */
  cleanUpDeadlineMs?: number
}

export interface Example<Options = unknown, Result = unknown> {
  file: string
  /** The result in a few words. */
  figure: (result: Result) => string
  /** Runs as from the command line and returns the exit code. */
  main: (argv: string[]) => Promise<number>
  /** Runs for another program: nothing is printed to standard output, errors are thrown. */
  run: (options?: Partial<Options>, operands?: string[], signal?: AbortSignal) => Promise<Result>
}

/** The reader asked for something impossible: exit code 2 and one line that says what is accepted. */
export class UsageError extends Error {
  override name = 'UsageError'
  constructor(what: string, received: unknown, accepts: string) {
    super(`${what}: received ${quoted(received)}; accepts ${accepts}`)
  }
}

function quoted(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = stripVTControlCharacters(String(value)).replaceAll(/\s+/g, ' ')
  return `"${text.length > 200 ? `${text.slice(0, 200)}…` : text}"`
}

/**
 * Declares the example of the file whose `import.meta` is given, and runs it when that file is the program.
 *
 * @returns the example, for the chapter's `start`, the tour and tests
 */
export function example<S extends Shape, Result>(
  meta: ImportMeta,
  declaration: Declaration<S, Result>,
): Example<Values<S>, Result> {
  const file = fileURLToPath(meta.url)

  const self: Example<Values<S>, Result> = {
    file,
    figure: declaration.figure,

    async run(options = {}, operands = [], signal = new AbortController().signal) {
      // As texts, so that values from a program pass the same checks as those from the command line.
      const given = Object.entries(options)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, typeof value === 'boolean' ? value : String(value)])
      return await declaration.run(parseOptions(declaration.options, Object.fromEntries(given)), {
        signal,
        quick: false,
        operands,
        print: () => {},
        picture: (name, content) => writePicture(file, name, content),
      })
    },

    async main(argv) {
      const interruption = listenForSignals(declaration.cleanUpDeadlineMs)
      try {
        const takesOperands = declaration.operands !== undefined
        const { values, operands } = parseCommandLine(declaration.options, takesOperands, argv)
        if (values.help) {
          process.stdout.write(await helpText(file, declaration.options, declaration.operands))
          return 0
        }
        const { json, quick, help: _, ...given } = values
        const result = await declaration.run(parseOptions(declaration.options, given, quick ? declaration.quick : {}), {
          signal: interruption.signal,
          quick: Boolean(quick),
          operands,
          print: (...lines) => void (json || process.stdout.write(`${lines.join('\n')}\n`)),
          picture: (name, content) => writePicture(file, name, content),
        })
        if (json) process.stdout.write(`${JSON.stringify(result)}\n`)
        return interruption.exitCode ?? 0
      } catch (error) {
        // A child has had the same Ctrl-C, from the terminal, and we may hear of its end first; our own comes right after.
        await delay(10)
        // An interrupted run fails in whatever it was waiting for; the reader asked for that and needs no message.
        if (interruption.exitCode !== undefined) {
          // What could not be cleaned up may cost something for as long as it is there.
          if (declaration.cleanUpDeadlineMs !== undefined && isSuppressed(error)) {
            const cause = originalOf(error.error)
            process.stderr.write(`${describeError(new Error('not all was cleaned up', { cause }))}\n`)
          }
          return interruption.exitCode
        }
        process.stderr.write(`${describeError(error)}\n`)
        return originalOf(error) instanceof UsageError ? 2 : 1
      } finally {
        interruption.stopListening()
      }
    },
  }

  if (meta.main) {
    self.main(process.argv.slice(2)).then((code) => {
      process.exitCode = code
    })
  }
  return self
}

/** The name and summary of an example, from the first line of its header comment, `name: summary`. */
export async function readHeader(file: string): Promise<{ name: string; summary: string; text: string }> {
  const source = await readFile(file, 'utf8')
  const comment = /^\s*\/\*\*(.*?)\*\//s.exec(source)?.[1] ?? ''
  const text = comment.replaceAll(/^[ \t]*\* ?/gm, '').trim()
  const name = file.slice(dirname(file).length + 1, -extname(file).length)
  const firstLine = text.split('\n', 1)[0] ?? ''
  if (!firstLine.startsWith(`${name}: `)) throw new Error(`${file} must open with a comment "${name}: <summary>"`)
  return { name, summary: firstLine.slice(name.length + 2), text }
}

/** One line for a reader: the message and the causes below it, without a stack. */
export function describeError(error: unknown): string {
  const original = originalOf(error)
  const parts: string[] = []
  for (let at = original; at instanceof Error; at = at.cause) if (!parts.includes(at.message)) parts.push(at.message)
  if (parts.length === 0) parts.push(String(original))
  const line = parts.join(': ').replaceAll(/\s*\n\s*/g, ' ')
  return process.env.DEBUG && original instanceof Error ? `error: ${line}\n${original.stack}` : `error: ${line}`
}

/** Where the cleaning up fails as well, `using` throws a SuppressedError that holds both. */
function isSuppressed(error: unknown): error is Error & { error: unknown; suppressed: unknown } {
  return error instanceof Error && 'suppressed' in error
}

/** What went wrong first. */
function originalOf(error: unknown): unknown {
  return isSuppressed(error) ? originalOf(error.suppressed) : error
}

type CommandLine = { values: Record<string, string | boolean>; operands: string[] }

function parseCommandLine(schemas: Shape, takesOperands: boolean, argv: string[]): CommandLine {
  const types: Record<string, 'boolean' | 'string'> = {}
  for (const [name, schema] of Object.entries(schemas)) types[kebab(name)] = isFlag(schema) ? 'boolean' : 'string'
  for (const name of ['quick', 'json', 'help']) types[name] = 'boolean'
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

function parseOptions<S extends Shape>(
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

async function helpText(file: string, schemas: Shape, operands?: string): Promise<string> {
  const { name, text } = await readHeader(file)
  const [title = '', ...about] = text.split('\n')
  const rows = Object.entries(schemas).map(([option, schema]) => {
    const accepts = acceptedBy(schema)
    const preset = defaultOf(schema)
    return [
      `--${kebab(option)}${accepts === undefined ? '' : ' …'}`,
      [schema.description, accepts, preset === undefined ? undefined : `default ${preset}`].filter(Boolean).join('; '),
    ]
  })
  rows.push(
    ['--quick', 'the same in a few seconds'],
    ['--json', 'one JSON document on standard output'],
    ['--help', 'this text'],
  )
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

async function writePicture(file: string, name: string, content: string | Uint8Array): Promise<string> {
  const chapter = dirname(dirname(file))
  const folder = join(chapter, '..', '..', 'out', basename(chapter))
  await mkdir(folder, { recursive: true })
  const picture = join(folder, name)
  // Another run of the same example, or a viewer, never sees half a picture.
  const unfinished = `${picture}.${process.pid}`
  await writeFile(unfinished, content)
  await rename(unfinished, picture)
  return picture
}

const signalExitCodes = { SIGINT: 130, SIGTERM: 143 } as const
const usualDeadlineMs = 10_000
/** After how long a reader is told that a program which may take longer than that cleans up. */
const noticeMs = 2_000

/**
 * Turns Ctrl-C, SIGTERM, a closed output pipe and errors that nobody awaits into an AbortSignal and the exit code that
 * belongs to it. A second Ctrl-C, or work that does not stop within the deadline, ends the process at once.
 */
function listenForSignals(deadlineMs = usualDeadlineMs) {
  const controller = new AbortController()
  const state = { signal: controller.signal, exitCode: undefined as number | undefined, stopListening }

  function interrupt(exitCode: number, reason: Error) {
    if (state.exitCode !== undefined) return
    state.exitCode = exitCode
    // Also where `run` never settles and the process ends because nothing is left to wait for.
    process.exitCode = exitCode
    controller.abort(reason)
    if (deadlineMs > usualDeadlineMs) {
      setTimeout(() => {
        process.stderr.write('cleaning up; a second Ctrl-C ends at once, and leaves what is there\n')
      }, noticeMs).unref()
    }
    setTimeout(() => {
      process.stderr.write(`error: the work did not stop within ${deadlineMs / 1000} s after ${reason.message}\n`)
      process.exit(exitCode)
    }, deadlineMs).unref()
  }
  function onSignal(name: NodeJS.Signals) {
    const exitCode = signalExitCodes[name as keyof typeof signalExitCodes]
    if (state.exitCode !== undefined) process.exit(exitCode)
    interrupt(exitCode, new Error(name))
  }
  // `… | head -1` closes the pipe as soon as it has its line: nobody is left to read the rest.
  function onOutputError(error: NodeJS.ErrnoException) {
    if (error.code !== 'EPIPE') throw error
    interrupt(0, new Error('the output was closed'))
  }
  // Thrown outside of what `run` awaits, as by a worker that fails before it has a task.
  function onUncaught(error: Error) {
    if (state.exitCode === undefined) process.stderr.write(`${describeError(error)}\n`)
    interrupt(1, error)
  }

  for (const name of Object.keys(signalExitCodes)) process.on(name, onSignal)
  process.on('uncaughtException', onUncaught)
  process.stdout.on('error', onOutputError)
  function stopListening() {
    for (const name of Object.keys(signalExitCodes)) process.off(name, onSignal)
    process.off('uncaughtException', onUncaught)
  }
  return state
}

const kebab = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
const camel = (name: string) => name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
