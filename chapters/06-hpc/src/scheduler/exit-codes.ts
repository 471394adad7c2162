/**
 * What a job's own script says of its end: the exit-code files, read in the same command that asks the scheduler, so that
 * a poll stays one command however many tasks there are.
 *
 * A job that is missing from the queue has not completed: it may not be listed yet, its node may have died, the list may
 * have forgotten it. Its exit-code file decides. A file that is not there, or empty, may still be on its way through a
 * network file system; only after some time counts it as missing.
 */

import { commandLine, quote } from '../ssh/quote.ts'
import { hasEnded, type JobStatus, jobFiles, type SubmittedJob } from './job.ts'
import { type Command, ParseError } from './scheduler.ts'

/** The command that runs another one and then prints the exit-code files of the jobs' folders. */
export function withExitCodes(command: Command, jobs: readonly SubmittedJob[], mark: string): Command {
  const folders = [...new Set(jobs.map(({ folder }) => folder))]
  const read = folders.map(
    (folder, at) =>
      `echo "${mark} ${at}"; cd ${quote(folder)} && find . -maxdepth 1 -name '*.exit' -exec grep -H . /dev/null {} +`,
  )
  return ['sh', '-c', [commandLine(command), `echo "${mark} $?"`, ...read, 'true'].join('; ')]
}

/** The parts of what that command prints: the scheduler's, its exit code, and the numbers in the files, by their paths. */
export function readExitCodes(stdout: string, command: Command, jobs: readonly SubmittedJob[], mark: string) {
  const folders = [...new Set(jobs.map(({ folder }) => folder))]
  const [answer = '', code, ...lists] = splitAt(stdout, mark)
  if (code === undefined || lists.length < folders.length) throw new ParseError(command, stdout, 'an answer to its end')
  const exitCodes = new Map<string, number>()
  for (const [at, list] of lists.entries()) {
    for (const [, name, text] of list.matchAll(/^\.\/(.+):(\d+)$/gm))
      exitCodes.set(`${folders[at]}/${name}`, Number(text))
  }
  return { answer, code: Number(/^\d+/.exec(code)?.[0]), exitCodes }
}

/** Cut before each line that begins with the mark; the marks are taken off. */
function splitAt(text: string, mark: string): string[] {
  const parts = `\n${text}`.split(`\n${mark} `)
  // The line break before a mark belongs to the part above it.
  return parts.map((part, at) => `${at === 0 ? part.slice(1) : part}\n`)
}

export interface SettleOptions {
  now: number
  /** How long a job may be neither in the queue nor have an exit code. */
  patienceMs: number
  /** What a job that stays missing is called lost by. */
  scheduler: string
}

/**
 * Puts together what the scheduler says and what the exit-code files say: one status for each job and each task of an
 * array, in their order.
 *
 * @param missingSince remembers from poll to poll since when a job is missing
 */
export function settle(
  jobs: readonly SubmittedJob[],
  listed: readonly JobStatus[],
  exitCodes: ReadonlyMap<string, number>,
  missingSince: Map<string, number>,
  { now, patienceMs, scheduler }: SettleOptions,
): JobStatus[] {
  const key = (id: string, task?: number) => `${id}/${task ?? ''}`
  const statuses = new Map(listed.map((status) => [key(status.id, status.task), status]))
  return jobs.flatMap(({ id, name, folder, array }) =>
    (array ?? [undefined]).map((task) => {
      const own: JobStatus = { id, state: 'unknown', ...(task === undefined ? {} : { task }) }
      const status = statuses.get(key(id, task))
      const at = key(id, task)
      const exitCode = exitCodes.get(`${folder}/${jobFiles(name, task).exit}`)
      if (status && status.state !== 'unknown') {
        missingSince.delete(at)
        if (status.state !== 'failed' && status.state !== 'completed') return status
        // The scheduler that knows no exit code has only seen it go.
        if (status.exitCode !== undefined) return { ...status, ...byExitCode(status.exitCode) }
        if (status.signal !== undefined) return status
      }
      if (exitCode !== undefined) {
        missingSince.delete(at)
        return { ...own, ...status, ...byExitCode(exitCode) }
      }
      if (status && hasEnded(status.state)) return status
      // The whole array, where the scheduler's list does not tell its tasks apart.
      const whole = task === undefined ? undefined : statuses.get(key(id))
      if (whole && whole.state !== 'unknown' && !hasEnded(whole.state)) return { ...whole, ...own, state: whole.state }
      const since = missingSince.get(at) ?? now
      missingSince.set(at, since)
      const said = status ? `${scheduler} does not say how it ended` : `${scheduler} does not list it`
      if (now - since < patienceMs) return { ...own, reason: `${said}, and it has left no exit code yet` }
      return { ...own, state: 'failed', reason: `${said}, and it has left no exit code` }
    }),
  )
}

/** 128 and more: a shell's way to say that a signal ended the command. */
function byExitCode(code: number): Pick<JobStatus, 'state' | 'exitCode' | 'signal'> {
  if (code === 0) return { state: 'completed', exitCode: 0 }
  return { state: 'failed', exitCode: code, ...(code > 128 ? { signal: String(code - 128) } : {}) }
}
