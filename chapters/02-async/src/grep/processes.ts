/** Searching in other processes: each way in a Node of its own, and the system's grep. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { ask } from '@repo/common/process/ask'
import { startProgram } from '@repo/common/process/child'
import { type Count, type GrepCommand, grepCommand, type Search } from './pattern.ts'
import type { WayName } from './ways.ts'

export interface Measured extends Count {
  ms: number
  /** The most memory that the process has had at once since it started, in units of 1,000,000 bytes. */
  peakRssMb: number
}

export interface WayProcess extends AsyncDisposable {
  /** Searches files, given by absolute paths. The time is taken inside the process. */
  search: (search: Search, files: string[]) => Promise<Measured>
}

/** Starts a process that searches in one of the ways; disposing of it ends it. */
export async function startWay(way: WayName, signal?: AbortSignal): Promise<WayProcess> {
  const program = await startProgram(new URL('./way.program.ts', import.meta.url), {
    signal,
    // New objects get 4 MiB at a time instead of 16. They are collected more often, so the lines need half the memory.
    // Old objects get 64 MiB. With more room, garbage would stay for longer.
    env: { NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --max-semi-space-size=4 --max-old-space-size=64` },
  })
  return {
    search: (search, files) => ask(program, { way, search, files }, signal),
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  }
}

/** The system's grep is missing, or does not understand the request. */
class GrepError extends Error {
  override name = 'GrepError'
}

export interface GrepCount {
  occurrences: number
  ms: number
}

/** The system's grep, ready to count: the command for the reader, and a function that runs it. */
export type SystemGrep = { command: string; count: () => Promise<GrepCount> } | { leftOut: string }

/**
 * The system's grep for a search in files, or why it is left out. Tries it once.
 *
 * @param occurrences how often JavaScript finds the pattern. Where the case of letters beyond A to Z is ignored, grep may
 *   find another number and be right: its tables of letters are of another edition of Unicode.
 */
export async function systemGrep(
  search: Search,
  files: string[],
  occurrences: number,
  signal?: AbortSignal,
): Promise<SystemGrep> {
  const command = grepCommand(search)
  if ('leftOut' in command) return command
  const count = () => grepAndCount(command, search.pattern, files, signal)
  try {
    const counted = await count()
    if (counted.occurrences !== occurrences && search.ignoreCase && !search.ascii) {
      const why = 'it knows another edition of Unicode, in which other letters differ only in case'
      return { leftOut: `it counts ${counted.occurrences}: ${why}` }
    }
  } catch (error) {
    if (!(error instanceof GrepError)) throw error
    return { leftOut: error.message }
  }
  return { command: `grep -o ${command.args.join(' ')} | wc -l`, count }
}

/**
 * Runs `grep -o … | wc -l`, two processes with a pipe between them and no shell.
 *
 * @returns the number of lines that wc counted, and the time from before the first start to after the last end
 * @throws a GrepError if this system's grep cannot do that
 */
export async function grepAndCount(
  command: Exclude<GrepCommand, { leftOut: string }>,
  pattern: string,
  files: string[],
  signal?: AbortSignal,
): Promise<GrepCount> {
  signal?.throwIfAborted()
  const start = performance.now()
  const wc = spawn('wc', ['-l'], { stdio: ['pipe', 'pipe', 'ignore'], signal })
  // -a: a file is text even if the locale does not know its characters; -h: no file names before the matches.
  const grep = spawn('grep', ['-o', '-a', '-h', ...command.args, '-e', pattern, '--', ...files], {
    env: { ...process.env, LC_ALL: command.locale },
    stdio: ['ignore', wc.stdin, 'pipe'],
    signal,
  })
  // grep has the pipe now. As long as this process holds it too, wc would wait for more.
  wc.stdin.destroy()
  wc.stdin.on('error', () => {})
  const [[code], complaint, counted] = await Promise.all([
    closed(grep),
    text(grep.stderr ?? []),
    text(wc.stdout),
    closed(wc),
  ]).catch((cause: unknown) => {
    signal?.throwIfAborted()
    throw new GrepError('grep and wc cannot be run', { cause })
  })
  const ms = performance.now() - start
  // 1: there is no match.
  if (code !== 0 && code !== 1) throw new GrepError(complaint.trim().split('\n', 1)[0] || `grep ended with ${code}`)
  return { occurrences: Number(counted), ms }
}

const closed = (child: ReturnType<typeof spawn>) => once(child, 'close') as Promise<[number | null]>
