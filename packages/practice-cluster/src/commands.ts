/** What the practice cluster's command programs have in common, whichever scheduler they belong to. */
import { parseArgs } from 'node:util'
import { clockTime } from '../../../chapters/06-hpc/src/scheduler/script.ts'
import type { BatchQueue, Job, Moment, Task } from './queue.ts'

/** One command that was typed: in a shell on the login node, or by a job. */
export interface Call {
  queue: BatchQueue
  faults: Faults
  program: string
  args: string[]
  /** Where it was typed. */
  folder: string
  environment: Record<string, string>
  user: string
  /** Whether Slurm's accounting is on. */
  accounting: boolean
  /** What was piped in, for the few that read it. */
  stdin: () => Promise<string>
  /** Where a copy of a submitted script is kept. */
  spool: string
  /** Asks the program at the other end to run something, as srun does; settles with its exit code when that has ended. */
  run: (runs: Run[]) => Promise<number>
  /** Writes at once, before the answer. */
  say: (text: string) => void
  /** Called when the program at the other end has gone, and by the queue to make it go. */
  hungUp: AbortController
}

/** A program for the other end to run, with its own streams. */
export interface Run {
  command: string[]
  environment: Record<string, string>
}

export interface Answer {
  stdout?: string
  stderr?: string
  code?: number
}

/** An interactive job and the command that waits for it end together, whichever ends first. */
export function endTogether(call: Call, { tasks }: Job, task: Task): void {
  task.hangUp = () => call.hungUp.abort()
  call.hungUp.signal.addEventListener('abort', () => {
    call.queue.cancel(tasks)
    call.queue.finish(task, { how: 'cancelled' })
  })
}

export type CommandProgram = (call: Call) => Answer | Promise<Answer>

/** What goes wrong on demand. */
export interface Faults {
  /** Accounting (sacct, qstat -x, condor_history) shows the state of so long ago. */
  slowAccountingMs: number
  /** The next so many commands of the scheduler print only the beginning of their output, and rubbish. */
  garbled: number
  /** So many bytes may be written over SFTP. */
  quotaBytes: number
}

/** Raised by a command for what it prints when it fails. */
export class CommandError extends Error {
  override name = 'CommandError'
  readonly code: number
  constructor(message: string, code = 1) {
    super(message)
    this.code = code
  }
}

type Options = NonNullable<Parameters<typeof parseArgs>[0]>['options']

/** Options as the program takes them: `names` maps each to its one-letter form or to ''; those ending in ! are switches. */
export function readOptions(program: string, args: string[], names: Record<string, string>) {
  const options: Options = {}
  for (const [name, letter] of Object.entries(names)) {
    const isSwitch = letter.endsWith('!')
    const short = letter.replace('!', '')
    options[name] = { type: isSwitch ? 'boolean' : 'string', multiple: true, ...(short ? { short } : {}) }
  }
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true })
    const all = (name: string) => (values[name] ?? []) as (string | boolean)[]
    return {
      operands: positionals,
      has: (name: string) => all(name).length > 0,
      text: (name: string) => all(name).map(String).at(-1),
      texts: (name: string) => all(name).map(String),
    }
  } catch (error) {
    throw new CommandError(`${program}: ${(error as Error).message.split('. ')[0]}`)
  }
}

/** The task as accounting knows it, which may be late; undefined when it does not know it yet. */
export function accounted(task: Task, { slowAccountingMs }: Faults): Moment | undefined {
  const seen = Date.now() - slowAccountingMs
  return task.history.findLast(({ at }) => at <= seen)
}

/** `0:05`, `00:01:00`, `90` (minutes) or `1-00:00:00` in milliseconds; undefined for anything else. */
export function readClock(text: string, bareUnitMs = 60_000): number | undefined {
  const [, days = '0', rest = ''] = /^(?:(\d+)-)?([\d:]+)$/.exec(text) ?? []
  const parts = rest.split(':').map(Number)
  if (rest === '' || parts.length > 3 || parts.some(Number.isNaN)) return undefined
  if (parts.length === 1) return Number(days) * 86_400_000 + (parts[0] ?? 0) * bareUnitMs
  const seconds = parts.reduce((sum, part) => sum * 60 + part, 0)
  return Number(days) * 86_400_000 + seconds * 1000
}

/** `100M`, `2gb`, `512` (MB) in MB. */
export function readMemory(text: string): number | undefined {
  const [, number, unit = 'm'] = /^(\d+)([kmgt]?)b?$/i.exec(text) ?? []
  const factor = { k: 1 / 1024, m: 1, g: 1024, t: 1024 ** 2 }[unit.toLowerCase() || 'm']
  return number === undefined || factor === undefined ? undefined : Number(number) * factor
}

/** Seconds as the lists show them: `0:07`, `1:02:03`. */
export function shortClock(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const two = (value: number) => String(value).padStart(2, '0')
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}

/** `00:01:00`. */
export const clock = (ms: number) => clockTime(Math.floor(ms / 1000))

/** Columns of the given widths, to the right for negative ones; longer cells are cut, as the real commands do. */
export function columns(widths: number[], rows: (string | number)[][]): string {
  const line = (row: (string | number)[]) =>
    widths
      .map((width, at) => {
        const cell = String(row[at] ?? '').slice(0, Math.abs(width))
        return width < 0 ? cell.padStart(-width) : cell.padEnd(width)
      })
      .join(' ')
      .trimEnd()
  return rows.map((row) => `${line(row)}\n`).join('')
}

export const ran = ({ startedAt, endedAt }: Task) => (startedAt === undefined ? 0 : (endedAt ?? Date.now()) - startedAt)
