/** What the practice cluster's commands share, whatever their scheduler. */
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { clockTime } from './notation.ts'
import type { BatchQueue, Dependency, Job, Moment, Task } from './queue.ts'

/** One command that was typed in a shell on the login node, or run by a job. */
export interface Call {
  queue: BatchQueue
  faults: Faults
  program: string
  args: string[]
  /** The folder in which it was typed. */
  folder: string
  environment: Record<string, string>
  user: string
  /** Whether Slurm's accounting and the job history of PBS are on. */
  accounting: boolean
  /** Reads the command's standard input, which few commands do. */
  stdin: () => Promise<string>
  /** The folder that keeps copies of submitted scripts. */
  spool: string
  /** Makes the program at the other end run something, as srun does; settles with the exit code. */
  run: (runs: Run[]) => Promise<number>
  /** Writes to standard error at once, before the answer. */
  say: (text: string) => void
  /** Aborted when the program at the other end has gone; the queue aborts it to make the program go. */
  hungUp: AbortController
}

/** A program that the other end runs with its own streams. */
export interface Run {
  command: string[]
  environment: Record<string, string>
}

export interface Answer {
  stdout?: string
  stderr?: string
  code?: number
}

export type CommandProgram = (call: Call) => Answer | Promise<Answer>

/** Faults to switch on. */
export interface Faults {
  /** Accounting (sacct, qstat -x, condor_history) lags behind by this much. */
  slowAccountingMs: number
  /** The next n scheduler commands print the beginning of their output, then garbage. */
  garbled: number
  /** Bytes that may still be written over SFTP. */
  quotaBytes: number
}

/** Thrown by a command that fails; the message goes to standard error. */
export class CommandError extends Error {
  override name = 'CommandError'
  readonly code: number
  constructor(message: string, code = 1) {
    super(message)
    this.code = code
  }
}

type Options = NonNullable<Parameters<typeof parseArgs>[0]>['options']

/**
 * Reads a program's options. `names` maps each to its one-letter form, or to ''; a `!` at the end makes it a switch.
 */
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

/** Keeps a copy of a submitted script, as the real schedulers do: later changes to the file do not reach the job. */
export async function spoolScript({ spool }: Call, text: string): Promise<string> {
  const path = join(spool, `${randomUUID()}.sh`)
  await writeFile(path, text, { mode: 0o700 })
  return path
}

export interface InteractiveOptions {
  /** What the command prints while the job waits, once it has started, and at its end. */
  waiting: (job: Job) => string
  ready: (job: Job, task: Task) => string
  ended?: (job: Job) => string
  /** Whether it prints nothing about a job that starts at once. */
  sayIfItWaits?: boolean
  run: (task: Task) => Run
}

/**
 * Runs an interactive job: submits it, waits until the queue starts it, and makes the other end run its program. When
 * either the job or the command ends, so does the other.
 */
export async function runInteractively(
  call: Call,
  submit: (onStart: (task: Task) => void) => Job,
  { waiting, ready, ended, run, sayIfItWaits = false }: InteractiveOptions,
): Promise<Answer> {
  const started = Promise.withResolvers<Task>()
  const job = submit(started.resolve)
  const [task] = job.tasks
  if (!task) return {}
  task.hangUp = () => call.hungUp.abort()
  call.hungUp.signal.addEventListener('abort', () => {
    call.queue.cancel(job.tasks)
    call.queue.finish(task, { how: 'cancelled' })
  })
  const isQuiet = sayIfItWaits && task.state === 'running'
  if (!isQuiet) call.say(waiting(job))
  if (task.state !== 'running') await started.promise
  if (!isQuiet) call.say(ready(job, task))
  const code = await call.run([run(task)])
  call.queue.finish(task, { how: 'exit', code })
  if (ended) call.say(ended(job))
  return { code }
}

/**
 * What a job waits for, from `afterok:1:2,afterany:3`.
 *
 * @throws `refusal` for anything else
 */
export function readDependencies(list: string, refusal: CommandError): Dependency[] {
  const whens: Record<string, Dependency['when']> = { afterok: 'ok', afternotok: 'not ok', afterany: 'any' }
  return list
    .split(',')
    .filter(Boolean)
    .flatMap((part) => {
      const [word = '', ...ids] = part.split(':')
      const when = whens[word]
      // In PBS and Torque the number may be followed by [] and the server's name.
      if (!when || ids.length === 0 || !ids.every((id) => /^\d+(\[|\.|$)/.test(id))) throw refusal
      return ids.map((id) => ({ on: Number.parseInt(id, 10), when }))
    })
}

/** The task as accounting shows it, which may lag behind; undefined while accounting does not know it. */
export function accounted(task: Task, { slowAccountingMs }: Faults): Moment | undefined {
  const seen = Date.now() - slowAccountingMs
  return task.history.findLast(({ at }) => at <= seen)
}

/** `0:05`, `00:01:00`, `90` (minutes) or `1-00:00:00` in milliseconds; undefined for any other form. */
export function readClock(text: string, bareUnitMs = 60_000): number | undefined {
  const [, days = '0', rest = ''] = /^(?:(\d+)-)?([\d:]+)$/.exec(text) ?? []
  const parts = rest.split(':').map(Number)
  if (rest === '' || parts.length > 3 || parts.some(Number.isNaN)) return undefined
  if (parts.length === 1) return Number(days) * 86_400_000 + (parts[0] ?? 0) * bareUnitMs
  const seconds = parts.reduce((sum, part) => sum * 60 + part, 0)
  return Number(days) * 86_400_000 + seconds * 1000
}

/** `100M`, `2gb` or `512` (MB) in MB; undefined for any other form. */
export function readMemory(text: string): number | undefined {
  const [, number, unit = 'm'] = /^(\d+)([kmgt]?)b?$/i.exec(text) ?? []
  const factor = { k: 1 / 1024, m: 1, g: 1024, t: 1024 ** 2 }[unit.toLowerCase() || 'm']
  return number === undefined || factor === undefined ? undefined : Number(number) * factor
}

/** A time as the lists show it: `0:07`, `1:02:03`. */
export function shortClock(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const two = (value: number) => String(value).padStart(2, '0')
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}

/** `00:01:00`. */
export const clock = (ms: number) => clockTime(Math.floor(ms / 1000))

/**
 * Columns of the given widths, right-aligned where a width is negative; truncates longer cells, as the real commands
 * do.
 */
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

/** How long a task has run, in ms. */
export const ran = ({ startedAt, endedAt }: Task) => (startedAt === undefined ? 0 : (endedAt ?? Date.now()) - startedAt)
