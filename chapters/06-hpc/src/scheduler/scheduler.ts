/**
 * What the four schedulers have in common. Each is one small file in `dialects/`: what to write into a script, which
 * command lines to run, and how to read what they print. A dialect runs nothing by itself, so that every hook can be
 * tested on recorded output.
 */
import type { JobDescription, JobState, JobStatus, SubmittedJob } from './job.ts'

export const schedulerNames = ['slurm', 'pbs', 'torque', 'htcondor'] as const
export type SchedulerName = (typeof schedulerNames)[number]

/** A program and its arguments, not yet quoted for any shell. */
export type Command = readonly [program: string, ...args: string[]]

/** A file to be written into the job's folder before it is submitted. */
export interface SubmitFile {
  name: string
  text: string
  /** Whether it must be executable. */
  executable?: boolean
}

export interface NodeStatus {
  name: string
  state: 'free' | 'busy' | 'down' | 'unknown'
  cores: number
  coresInUse: number
  memoryMb?: number
  /** The scheduler's own word for its state. */
  detail: string
}

/** A job in the scheduler's list, whoever submitted it. */
export interface ListedJob {
  id: string
  name: string
  state: JobState
  /** Where it was submitted. */
  folder?: string | undefined
}

/** One command and the reader of what it prints. */
export interface Question<Answer> {
  command: Command
  /** @throws {ParseError} when the output is of no known form */
  parse: (stdout: string) => Answer
  /** Whether the command fails only because there is nothing to list: that is an answer, too. */
  nothing?: (result: { code: number; stdout: string; stderr: string }) => boolean
}

export interface Dialect {
  name: SchedulerName
  /** What readers call it, with its version or variant where that matters: `Slurm, without accounting`. */
  title: string
  /** The files that describe the job, the one to be submitted first. */
  files: (job: JobDescription) => SubmitFile[]
  /** Submits the first of these files; to be run in the job's folder. The answer is the job's id. */
  submit: (job: JobDescription) => Question<string>
  /** The states of many jobs by one command. Jobs and tasks that are not listed are absent from the answer. */
  poll: (jobs: readonly SubmittedJob[]) => Question<JobStatus[]>
  /** Cancels a job, or single tasks of an array. */
  cancel: (job: SubmittedJob, tasks?: readonly number[]) => Command
  hold: (job: SubmittedJob) => Command
  release: (job: SubmittedJob) => Command
  /** Why a job waits, in the scheduler's own words. */
  why: (job: SubmittedJob) => Question<string>
  /** The user's jobs, an array as one; those that have ended for as long as the scheduler remembers them. */
  queue: (user: string) => Question<ListedJob[]>
  nodes: () => Question<NodeStatus[]>
  /** A shell on a node that the scheduler picks, with standard input; without a terminal only where `terminal` may be false. */
  interactive: (options: { walltimeSeconds: number; terminal: boolean }) => Command
}

/** How all but HTCondor call what a job waits for. */
export const dependencyWords = { ok: 'afterok', 'not ok': 'afternotok', any: 'afterany' } as const

/** A command whose parser names it when it does not know what came. */
export function question<Answer>(
  command: Command,
  parse: (stdout: string, command: Command) => Answer,
): Question<Answer> {
  return { command, parse: (stdout) => parse(stdout, command) }
}

/** What came back has no known form: which command it was, and the beginning of what it printed. */
export class ParseError extends Error {
  override name = 'ParseError'
  constructor(command: Command, output: string, expected: string) {
    const shown = output.trim().replaceAll(/\s+/g, ' ').slice(0, 200)
    super(`${command[0]} printed ${shown === '' ? 'nothing' : `"${shown}"`}; expected ${expected}`)
  }
}
