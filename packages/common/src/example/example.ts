/**
 * Declares an example: a program of a chapter that runs from the command line, inside a test and in the tour.
 *
 * The file's header comment is its documentation. Its first line is `name: summary`, and `--help` prints all of it
 * above the options. `run` prints for readers, and returns the JSON document of `--json`.
 */
import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { messageOf } from '../output/errors.ts'
import { writeWhole } from '../output/whole-file.ts'
import { exampleSwitches, helpText, parseCommandLine, parseOptions, type Shape, type Values } from './command-line.ts'
import { readHeader } from './header.ts'
import { listenForSignals } from './interruption.ts'
import { cleanUpErrorOf, describeError, originalOf, UsageError } from './usage.ts'

/** What `run` gets besides the options. */
export interface Context {
  /** Aborted by Ctrl-C and SIGTERM: pass it to everything that waits. */
  signal: AbortSignal
  /** Whether `--quick` was given. */
  quick: boolean
  /** The words on the command line that are not options. */
  operands: string[]
  /** Writes lines for the reader to standard output. Silent with `--json`, and when a program runs the example. */
  print: (...lines: string[]) => void
  /**
   * Writes a picture, such as `tree.svg` or `tree.png`, to `out/<chapter>/` and returns its absolute path. On the command
   * line, a picture that cannot be written is a warning below the results, and the text returned says why.
   */
  picture: (name: string, content: string | Uint8Array) => Promise<string>
}

export interface Declaration<S extends Shape, Result> {
  /** zod schemas from `./options.ts`, each with `.default()` (or `.optional()`) and `.describe()`. */
  options: S
  /** Replaces defaults under `--quick`. */
  quick?: Partial<Values<S>>
  /** The operands in the usage line, such as `PATTERN [FILE…]`. Without this, operands are refused. */
  operands?: string
  /** Does the work and returns what `--json` prints. */
  run: (options: Values<S>, context: Context) => Promise<Result>
  /** The result in a few words, for the tour's table. */
  figure: (result: Result) => string
  /** How long it may clean up after Ctrl-C; 10 s by default. */
  cleanUpDeadlineMs?: number
}

export interface Example<Options = unknown, Result = unknown> {
  file: string
  /** The options it declares, and whether it takes operands: what its command line may be. */
  options: Shape
  takesOperands: boolean
  /** The result in a few words. */
  figure: (result: Result) => string
  /** Runs as from the command line and returns the exit code. */
  main: (argv: string[]) => Promise<number>
  /** Runs for another program: nothing is printed to standard output, errors are thrown. */
  run: (options?: Partial<Options>, operands?: string[], signal?: AbortSignal) => Promise<Result>
}

/**
 * Declares the example in the file whose `import.meta` is given, and runs it if Node was started with that file.
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
    options: declaration.options,
    takesOperands: declaration.operands !== undefined,
    figure: declaration.figure,

    async run(options = {}, operands = [], signal = new AbortController().signal) {
      // Values from a program become texts and pass the same checks as those from the command line.
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
      const warnings: string[] = []
      // The figures are worth more than their picture, and may have taken an hour.
      const drawn = async (name: string, content: string | Uint8Array) => {
        try {
          return await writePicture(file, name, content)
        } catch (error) {
          const why = messageOf(error)
          warnings.push(`warning: ${name} cannot be written: ${why}\n`)
          return `none (${why})`
        }
      }
      try {
        const { values, operands } = parseCommandLine(declaration.options, argv, {
          switches: exampleSwitches,
          takesOperands: self.takesOperands,
        })
        if (values.help) {
          const { name, text } = await readHeader(file)
          const usage = [name, '[options]', declaration.operands].filter(Boolean).join(' ')
          process.stdout.write(helpText({ usage, text }, declaration.options, exampleSwitches))
          return 0
        }
        const { json, quick, help: _, ...given } = values
        const result = await declaration.run(parseOptions(declaration.options, given, quick ? declaration.quick : {}), {
          signal: interruption.signal,
          quick: Boolean(quick),
          operands,
          print: (...lines) => void (json || process.stdout.write(`${lines.join('\n')}\n`)),
          picture: drawn,
        })
        if (json) process.stdout.write(`${JSON.stringify(result)}\n`)
        for (const warning of warnings) process.stderr.write(warning)
        return interruption.exitCode ?? 0
      } catch (error) {
        // The terminal sends Ctrl-C to child processes too, and the end of a child may be noticed before our own
        // signal.
        await delay(10)
        // An interrupted run fails in whatever it was waiting for. The reader asked for that and needs no message.
        if (interruption.exitCode === undefined) process.stderr.write(`${describeError(error)}\n`)
        // What could not be cleaned up may go on costing money.
        const cleanUp = declaration.cleanUpDeadlineMs === undefined ? undefined : cleanUpErrorOf(error)
        if (cleanUp) process.stderr.write(`${describeError(cleanUp)}\n`)
        if (interruption.exitCode !== undefined) return interruption.exitCode
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

async function writePicture(file: string, name: string, content: string | Uint8Array): Promise<string> {
  const chapter = dirname(dirname(file))
  const picture = join(rootAbove(chapter), 'out', basename(chapter), name)
  await writeWhole(picture, content)
  return picture
}

/** The nearest folder above that is a workspace's root. A chapter that was copied out of the repository is its own. */
function rootAbove(chapter: string): string {
  for (let folder = chapter; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, 'pnpm-workspace.yaml'))) return folder
  }
  return chapter
}
