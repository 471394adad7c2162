/** A job for any scheduler: its description, what a client remembers of it, and its states. */

/** What a job asks for. */
export interface Resources {
  /** Cores of each node. */
  cores?: number
  /** Memory of each node, in MB (2^20 bytes). */
  memoryMb?: number
  nodes?: number
  /** Processes of a parallel program on each node, which share its cores; 1 by default. */
  ranksPerNode?: number
  /** The scheduler ends the job after this time. */
  walltimeSeconds?: number
  /** GPUs of each node. */
  gpus?: number
}

/** When a job may begin. */
export interface Dependency {
  /** The id of another job of the same scheduler. */
  on: string
  /** How that job has to end first. `ok`: with exit code 0. `not ok`: in any other way. `any`: no matter how. */
  when: 'ok' | 'not ok' | 'any'
}

export interface JobDescription {
  /**
   * The name in the scheduler's lists and of the job's files: letters, digits, `_`, `-` and `.`, beginning with a
   * letter. Two jobs with one name in one folder overwrite each other's files.
   */
  name: string
  /** The program and its arguments, which arrive as they are; no shell splits them. */
  command: string[]
  resources?: Resources
  environment?: Record<string, string>
  /**
   * The absolute path of the folder on the cluster in which the command runs. Scripts, outputs and exit codes go there.
   */
  folder: string
  /** Names of files in the folder that the command reads, for a scheduler that copies files to the node. */
  inputs?: string[]
  /** Runs the command once for each of these task numbers, with the number in the environment variable TASK_ID. */
  array?: number[]
  dependencies?: Dependency[]
  /** Whether the scheduler may start the job again after its node has failed. */
  requeue?: boolean
  /** The queue, partition or pool; the scheduler's default if not given. */
  queue?: string
  /** The command is sent SIGTERM this long before its walltime ends, so that it can save its state. */
  warnSeconds?: number
  /** Whether the job is held until it is released. */
  hold?: boolean
}

/** What a client has to remember about a job: plain data, which survives a restart. */
export interface SubmittedJob {
  id: string
  name: string
  folder: string
  array?: number[]
}

const openStates = ['queued', 'held', 'running', 'unknown'] as const
const endStates = ['completed', 'failed', 'cancelled', 'timed out', 'out of memory', 'node failed'] as const
/** The states of a job. Every scheduler has its own words for them. */
export const jobStates = [...openStates, ...endStates] as const
export type JobState = (typeof jobStates)[number]

/** Whether a job in this state will never run again. */
export function hasEnded(state: JobState): boolean {
  return endStates.some((end) => end === state)
}

/** One job, or one task of an array. */
export interface JobStatus {
  id: string
  /** In an array: the task's number. */
  task?: number
  state: JobState
  /** 0 to 255, after the command has ended by itself. */
  exitCode?: number
  /** The name or number of the signal that ended the command. */
  signal?: string
  /** The node or nodes on which it runs or ran. */
  node?: string
  /** Why it waits, or how it ended, in the scheduler's own words. */
  reason?: string
  /** What the scheduler printed about it, where nobody can tell the state from that. */
  unread?: string
  /** Where only old records show a job that should be in the queue: what it counts as if it does not come back. */
  otherwise?: JobState
}

/** The names of a job's or a task's files in the job's folder. */
export function jobFiles(name: string, task?: number) {
  const base = task === undefined ? name : `${name}.${task}`
  return { out: `${base}.out`, err: `${base}.err`, exit: `${base}.exit` }
}

/** A part of a job cannot be described to a scheduler. The message says what was received and what is accepted. */
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
 * Checks everything that is written into a scheduler's syntax: a line break in a job's name could add lines to the
 * script.
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
    check('input', input, /^(?!\.\.?$)[\w.@+-]+$/.test(input), "a file's name: letters, digits and . _ @ + -")
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
/** Whether text has line breaks or other characters that end a line or a word of a script. */
const hasControl = (text: string) => /\p{Cc}/u.test(text)
