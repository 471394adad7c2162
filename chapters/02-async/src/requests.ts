/** What a reader asks the searches for, checked: whatever is wrong becomes one line that says what is accepted. */
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { UsageError } from '@repo/common/example'
import { pathFromReader } from '@repo/common/options'
import { bytes } from '@repo/common/terminal'
import { stateOfTheUnionFiles } from '@repo/common/texts'
import { InputError, inspect, longestLineBytes, spool } from './input.ts'
import { PatternError, type Search, searchFor } from './pattern.ts'

const mostSpooledBytes = 2_000_000_000

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
  /** What `-` stands for. It is kept in `folder`, for it is read more than once. */
  input: Readable
  folder: string
  signal: AbortSignal
}

/**
 * The files that operands name, relative to where the reader stands; without operands the State of the Union addresses.
 * Throws a UsageError for what is not UTF-8 text.
 */
export async function sourceOf(operands: string[], { input, folder, signal }: SourceOptions): Promise<Source> {
  const spooled = join(folder, 'standard-input')
  const files = operands.map((operand) => (operand === '-' ? spooled : pathFromReader(operand)))
  if (operands.length === 0) files.push(...stateOfTheUnionFiles())
  let size = 0
  for (const [at, file] of files.entries()) {
    try {
      // The second `-` reads the same again.
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
