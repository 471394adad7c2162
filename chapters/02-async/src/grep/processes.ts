/** Searching in other processes: each way in a Node of its own, and the system's grep. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { startProgram } from '@repo/common/process/child'
import type { Count, GrepCommand, Search } from './pattern.ts'
import type { WayName } from './ways.ts'

export interface Measured extends Count {
  ms: number
  /** The most memory that the process has had at once since it started, in units of 1,000,000 bytes. */
  peakRssMb: number
}

export interface WayProcess extends AsyncDisposable {
  /** Searches files, given by absolute paths; the time is taken inside the process. */
  search: (search: Search, files: string[]) => Promise<Measured>
}

/** Starts a process that searches in one of the ways; disposing of it ends it. */
export async function startWay(way: WayName, signal?: AbortSignal): Promise<WayProcess> {
  const program = await startProgram(new URL('./way.program.ts', import.meta.url), {
    signal,
    // New objects get 4 MiB at a time instead of 16: collected more often, the lines need half the memory.
    // And the old ones 64 MiB: with more room, garbage is left lying for longer.
    env: { NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --max-semi-space-size=4 --max-old-space-size=64` },
  })
  return {
    async search(search, files) {
      signal?.throwIfAborted()
      program.process.send({ way, search, files })
      const [answer] = await Promise.race([
        once(program.process, 'message'),
        program.exited.then(({ code, signal: endedBy }) => {
          signal?.throwIfAborted()
          throw new Error(`the process of "${way}" ended with ${endedBy ?? `exit code ${code}`}`)
        }),
      ])
      return answer as Measured
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  }
}

/** The system's grep is missing, or does not understand what it is asked. */
export class GrepError extends Error {
  override name = 'GrepError'
}

/**
 * Runs `grep -o … | wc -l`, two processes with a pipe between them and no shell.
 *
 * @returns the number of lines that wc counted and the time from before the first start to after the last end
 * @throws a GrepError when that is not possible with this system's grep
 */
export async function grepAndCount(
  command: Exclude<GrepCommand, { leftOut: string }>,
  pattern: string,
  files: string[],
  signal?: AbortSignal,
): Promise<{ occurrences: number; ms: number }> {
  signal?.throwIfAborted()
  const start = performance.now()
  const wc = spawn('wc', ['-l'], { stdio: ['pipe', 'pipe', 'ignore'], signal })
  // -a: a file is text even if the locale knows other characters only; -h: no file names before the matches.
  const grep = spawn('grep', ['-o', '-a', '-h', ...command.args, '-e', pattern, '--', ...files], {
    env: { ...process.env, LC_ALL: command.locale },
    stdio: ['ignore', wc.stdin, 'pipe'],
    signal,
  })
  // grep has the pipe now; as long as this process holds it too, wc would wait for more.
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
