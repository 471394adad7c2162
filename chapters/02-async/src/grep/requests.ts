/** What a reader asks for, checked: every mistake becomes one line that says what is accepted. */
import { createWriteStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pathFromReader } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { bytes } from '@repo/common/output/terminal'
import { stateOfTheUnionFiles } from '@repo/common/workloads/texts'
import { InputError, inspect, longestLineBytes, spool } from './input.ts'
import { PatternError, type Search, searchFor } from './pattern.ts'

const mostSpooledBytes = 2_000_000_000
const newline = 10

/**
 * A large text made of small ones: one file with all files of a source, `times` over, each with a line end. Throws a
 * UsageError if it would be too large.
 */
export async function repeated(source: Source, times: number, { folder, signal }: SourceOptions): Promise<Source> {
  if (source.bytes * times > mostSpooledBytes) {
    const most = Math.floor(mostSpooledBytes / source.bytes)
    throw new UsageError('--repeat', times, `up to ${most} for ${bytes(source.bytes)} of text`)
  }
  const path = join(folder, 'repeated')
  const once = (await Promise.all(source.files.map((file) => readFile(file)))).flatMap((text) =>
    text.at(-1) === newline ? [text] : [text, Buffer.of(newline)],
  )
  await pipeline(
    async function* () {
      for (let at = 0; at < times; at++) yield* once
    },
    createWriteStream(path),
    { signal },
  )
  return { files: [path], bytes: (await stat(path)).size }
}

/** The search for a pattern. Throws a UsageError. */
export function searchOf(pattern: string, ignoreCase: boolean): Search {
  try {
    return searchFor(pattern, ignoreCase)
  } catch (error) {
    if (error instanceof PatternError) throw new UsageError('PATTERN', pattern, error.message)
    throw error
  }
}

export interface Source {
  /** Absolute paths. */
  files: string[]
  /** The sizes of all files together. */
  bytes: number
}

export interface SourceOptions {
  /** What `-` stands for. It is kept in `folder`, because it is read more than once. */
  input: Readable
  folder: string
  signal: AbortSignal
}

/**
 * The files that operands name, relative to the reader's own folder; without operands the State of the Union addresses.
 * Throws a UsageError for anything but UTF-8 text.
 */
export async function sourceOf(operands: string[], { input, folder, signal }: SourceOptions): Promise<Source> {
  const spooled = join(folder, 'standard-input')
  const files = operands.map((operand) => (operand === '-' ? spooled : pathFromReader(operand)))
  if (operands.length === 0) files.push(...stateOfTheUnionFiles())
  let size = 0
  for (const [at, file] of files.entries()) {
    try {
      // A second `-` reads the same text again.
      if (operands[at] === '-' && operands.indexOf('-') === at) await spool(input, spooled, mostSpooledBytes, signal)
      size += await inspect(file, signal)
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      const accepts = `UTF-8 text with lines of up to ${bytes(longestLineBytes)}, but ${error.message}`
      throw new UsageError('FILE', operands[at] ?? file, accepts)
    }
  }
  return { files, bytes: size }
}
