/**
 * What the four schedulers have in common. The dialect of each is one small file in this folder: what to write into a
 * script, which commands to run, and how to read what they print. A dialect runs nothing itself, so that every part of
 * it can be tested on recorded output.
 */
import type { SchedulerName } from '@repo/practice-cluster/notation'
import type { Command } from '../ssh/quote.ts'
import type { JobDescription, JobState, JobStatus, SubmittedJob } from './job.ts'

/** A file to write into the job's folder before the job is submitted. */
export interface SubmitFile {
  name: string
  text: string
  executable?: boolean
}

export interface NodeStatus {
  name: string
  state: 'free' | 'busy' | 'down' | 'unknown'
  cores: number
  coresInUse: number
  memoryMb?: number
  /** The scheduler's own word for the state. */
  detail: string
}

/** A job in the scheduler's list. */
export interface ListedJob {
  id: string
  name: string
  state: JobState
  /** The folder in which it was submitted. */
  folder?: string | undefined
}

/** A command, and the parser for what it prints. */
export interface Question<Answer> {
  command: Command
  /** @throws {ParseError} when the output has an unknown form */
  parse: (stdout: string) => Answer
  /** Whether a failed command only means that the list is empty. */
  nothing?: (result: Failure) => boolean
  /** What to ask instead, where a failed command means that this host does not know the command in this form. */
  instead?: (result: Failure) => Question<Answer> | undefined
  /** The scheduler's words for why it refused, where they are not on the command's standard error. */
  words?: (result: Failure) => string | undefined
}

interface Failure {
  code: number
  stdout: string
  stderr: string
}

export interface Dialect {
  name: SchedulerName
  /** The name for readers, with the variant where that matters: `Slurm, without accounting`. */
  title: string
  /** The files that describe the job; the first is the one to submit. */
  files: (job: JobDescription) => SubmitFile[]
  /** Submits the first of these files. The command has to run in the job's folder; the answer is the job's id. */
  submit: (job: JobDescription) => Question<string>
  /** The states of many jobs, with one command. Jobs and tasks that the scheduler does not list are absent. */
  poll: (jobs: readonly SubmittedJob[]) => Question<JobStatus[]>
  /** The command with which people look at a job. What it prints is for people, not for parsers. */
  list: (job: SubmittedJob) => Command
  /** Cancels a job, or single tasks of an array. */
  cancel: (job: SubmittedJob, tasks?: readonly number[]) => Command
  hold: (job: SubmittedJob) => Command
  release: (job: SubmittedJob) => Command
  /** Why a job waits, in the scheduler's own words. */
  why: (job: SubmittedJob) => Question<string>
  /** The user's jobs, each array as one, including those that have ended and that the scheduler still remembers. */
  queue: (user: string) => Question<ListedJob[]>
  nodes: () => Question<NodeStatus[]>
  /**
   * Starts a shell on a node that the scheduler picks. `terminal` says whether it has a terminal; only Slurm can do
   * without one.
   */
  interactive: (options: { walltimeSeconds: number; terminal: boolean }) => Command
}

/** The words of Slurm, PBS and Torque for what a job waits for. */
export const dependencyWords = { ok: 'afterok', 'not ok': 'afternotok', any: 'afterany' } as const

/** A question whose parser receives the command, so that it can name it in an error. */
export function question<Answer>(
  command: Command,
  parse: (stdout: string, command: Command) => Answer,
): Question<Answer> {
  return { command, parse: (stdout) => parse(stdout, command) }
}

/**
 * Reads each row of a list by itself, because a row that cannot be read must not hide the others: it may belong to
 * somebody else. `read` returns nothing for such a row.
 *
 * @throws a {@link ParseError} if there are rows and none can be read
 */
export function readEach<Row, Found>(
  rows: readonly Row[],
  read: (row: Row) => readonly Found[] | undefined,
  { command, stdout, expected }: { command: Command; stdout: string; expected: string },
): Found[] {
  const found = rows.map(read)
  if (rows.length > 0 && found.every((each) => each === undefined)) throw new ParseError(command, stdout, expected)
  return found.flatMap((each) => each ?? [])
}

/** A command's output has an unknown form. The message names the command and shows the beginning of the output. */
export class ParseError extends Error {
  override name = 'ParseError'
  constructor(command: Command, output: string, expected: string) {
    const shown = shortened(output)
    super(`${command[0]} printed ${shown === '' ? 'nothing' : `"${shown}"`}; expected ${expected}`)
  }
}

/** The entry of a table for a word that a scheduler printed. No word, such as `constructor`, finds what is no entry. */
export function entryOf<Entry>(table: Readonly<Record<string, Entry>>, word: string): Entry | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined
}

/** In the answer of a scheduler, null or a text may stand where an object is expected. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

/** What a command has printed, in one line for a message. */
export const shortened = (output: string) => output.trim().replaceAll(/\s+/g, ' ').slice(0, 200)

const tooMuch =
  /PartitionConfig|can never run|No machines matched|Requested node configuration|resource limits|feasible nodes/i

// #region meanings
const meanings: [pattern: RegExp, meaning: string][] = [
  [tooMuch, 'it asks for more than any node has, or than the queue allows: it will never begin; ask for less'],
  [/DependencyNeverSatisfied/i, 'its condition can no longer come true: cancel it'],
  [/Dependency|depend .*hold types s$/i, 'it waits for another job'],
  [/JobHeld|hold types|Job is held|requeued.*held/i, 'somebody holds it: it begins only after it has been released'],
  [/NodeNotAvail|total nodes available/i, 'the nodes it needs are down or reserved: ask the administrators'],
  [/JobArrayTaskLimit|Too many running subjobs/i, 'its array may not run more tasks at once'],
  [/Limit|QOS|Assoc/, 'you or your group have reached a limit: it begins when your other jobs end'],
  [/Priority/, 'others are ahead of it; a shorter walltime may let it slip into a gap'],
  [/Resources|Insufficient amount|are able to run your job/i, 'what it needs is in use: it begins when other jobs end'],
  [/state Q|reason None/i, 'the scheduler has not looked at it yet, or does not say more'],
]
// #endregion meanings

/** What a scheduler's reason for a waiting job means, and what to do; undefined for unknown words. */
export function meaningOf(why: string): string | undefined {
  return meanings.find(([pattern]) => pattern.test(why))?.[1]
}
