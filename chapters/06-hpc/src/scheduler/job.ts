/** A job, whichever scheduler runs it: what is asked for, what is remembered of it, and what can be said of it afterwards. */

/** What a job may use. */
export interface Resources {
  /** Cores of each node. */
  cores?: number
  /** Memory of each node, in MB (2^20 bytes). */
  memoryMb?: number
  nodes?: number
  /** How many processes of a parallel program run on each node; they share its cores. 1 when not given. */
  ranksPerNode?: number
  /** After so many seconds the scheduler ends the job. */
  walltimeSeconds?: number
  /** Graphics processors of each node. */
  gpus?: number
}

/** When a job may begin, seen from another one of the same scheduler. */
export interface Dependency {
  on: string
  /** `ok`: it ended with exit code 0. `not ok`: it ended otherwise. `any`: it ended. */
  when: 'ok' | 'not ok' | 'any'
}

export interface JobDescription {
  /**
   * What the scheduler's lists show, and how the job's files are called: letters, digits, `_`, `-` and `.`, beginning
   * with a letter. Two jobs with one name in one folder would overwrite each other's files.
   */
  name: string
  /** The program and its arguments, as they shall arrive; no shell takes them apart. */
  command: string[]
  resources?: Resources
  environment?: Record<string, string>
  /** The folder the command runs in, absolute on the cluster. Scripts, outputs and exit codes go there. */
  folder: string
  /** Files in the folder that the command reads, by their names: a scheduler that copies files must know them. */
  inputs?: string[]
  /** Runs the command once for each of these task numbers, each with its number in the environment variable TASK_ID. */
  array?: number[]
  dependencies?: Dependency[]
  /** Whether the scheduler may begin the job again after its node has failed. */
  requeue?: boolean
  /** The queue, partition or pool; the scheduler's own default without it. */
  queue?: string
  /** So many seconds before its walltime is over the command is sent SIGTERM, to save what it has. */
  warnSeconds?: number
  /** Whether it waits, held, until it is released. */
  hold?: boolean
}

/** What a client must remember of a job to ask for it again, also after a restart: plain data. */
export interface SubmittedJob {
  id: string
  name: string
  folder: string
  array?: number[]
}

/** The states of a job, which every scheduler names differently. The last six are ends. */
export const jobStates = [
  ...(['queued', 'held', 'running', 'unknown'] as const),
  ...(['completed', 'failed', 'cancelled', 'timed out', 'out of memory', 'node failed'] as const),
] as const
export type JobState = (typeof jobStates)[number]

/** Whether a job in this state will not run any more. */
export function hasEnded(state: JobState): boolean {
  return jobStates.indexOf(state) >= 4
}

/** One job, or one task of an array. */
export interface JobStatus {
  id: string
  /** Of an array: the task's number. */
  task?: number
  state: JobState
  /** 0 to 255, once it has ended by itself. */
  exitCode?: number
  /** The name or number of the signal that ended it. */
  signal?: string
  /** The node or nodes it runs or ran on. */
  node?: string
  /** Why it waits or how it ended, in the scheduler's own words. */
  reason?: string
}

/** The files of a job, or of one task of an array, in its folder. */
export function jobFiles(name: string, task?: number) {
  const base = task === undefined ? name : `${name}.${task}`
  return { out: `${base}.out`, err: `${base}.err`, exit: `${base}.exit` }
}

/** The job cannot be described to a scheduler: which part, what was received, what is accepted. */
class InvalidJobError extends Error {
  override name = 'InvalidJobError'
  constructor(part: string, received: string, accepts: string) {
    super(`the job's ${part}: received ${JSON.stringify(received)}; accepts ${accepts}`)
  }
}

export const jobName = /^[A-Za-z][\w.-]{0,62}$/
export const acceptedJobName = 'a letter and up to 62 letters, digits, _, - and .'
const most = { tasks: 100_000, number: 1_000_000_000 }

/**
 * Checks what would otherwise end up in a scheduler's own syntax: whoever writes a line break into a job's name could
 * write further lines into the script.
 *
 * @throws {InvalidJobError}
 */
export function checkJob(job: JobDescription): void {
  const check = (part: string, received: unknown, ok: boolean, accepts: string) => {
    if (!ok) throw new InvalidJobError(part, String(received), accepts)
  }
  check('name', job.name, jobName.test(job.name), acceptedJobName)
  check('command', job.command.join(' '), Boolean(job.command[0]) && !job.command.some(hasNul), 'a program')
  const oneLine = 'an absolute path without control characters'
  check('folder', job.folder, job.folder.startsWith('/') && !hasControl(job.folder), oneLine)
  for (const input of job.inputs ?? [])
    check('input', input, /^[\w.@+-]+$/.test(input), "a file's name: letters, digits and . _ @ + -")
  if (job.queue !== undefined) check('queue', job.queue, /^[A-Za-z][\w.@-]*$/.test(job.queue), 'the name of a queue')
  for (const [name, value] of Object.entries(job.environment ?? {})) {
    check('environment', name, /^[A-Za-z_]\w*$/.test(name), 'names of letters, digits and _')
    check(`environment ${name}`, value, !hasNul(value), 'a text without zero characters')
  }
  const positive = `a whole number from 1 to ${most.number}`
  const numbers = { ...job.resources, warnSeconds: job.warnSeconds }
  for (const [name, value] of Object.entries(numbers)) {
    if (value !== undefined) check(name, value, isWhole(value) && value > 0, positive)
  }
  if (job.array) {
    const distinct = new Set(job.array).size === job.array.length
    const some = job.array.length > 0 && job.array.length <= most.tasks
    check(
      'array',
      job.array.join(','),
      distinct && some && job.array.every(isWhole),
      'different task numbers from 0 on',
    )
  }
  for (const { on } of job.dependencies ?? []) {
    check('dependency', on, /^[A-Za-z0-9][\w.[\]-]*$/.test(on), "another job's id")
  }
}

const isWhole = (value: number) => Number.isInteger(value) && value >= 0 && value <= most.number
const hasNul = (text: string) => text.includes('\0')
/** Line breaks and whatever else would end a line or a word of a script. */
const hasControl = (text: string) => /\p{Cc}/u.test(text)
