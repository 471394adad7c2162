/**
 * The exit-code files that jobs' scripts leave. The command that asks the scheduler also reads these files, so that a
 * poll is one command for any number of tasks.
 *
 * A job that is missing from the queue need not have completed: the list may not have it yet or may have forgotten it,
 * or its node may have died. The exit-code file decides. A missing or empty file may still be on its way through a
 * network file system, so it counts as missing only after some time.
 */
import { type Command, commandLine, quote } from '../ssh/quote.ts'
import { hasEnded, type JobStatus, jobFiles, type SubmittedJob } from './job.ts'
import { ParseError } from './scheduler.ts'

// #region with-exit-codes
/** Returns a command that runs another one and then prints the exit-code files in the jobs' folders. */
export function withExitCodes(command: Command, jobs: readonly SubmittedJob[], mark: string): Command {
  const folders = [...new Set(jobs.map(({ folder }) => folder))]
  const read = folders.map(
    (folder, at) =>
      `echo "${mark} ${at}"; cd ${quote(folder)} && find . -maxdepth 1 -name '*.exit' -exec grep -H . /dev/null {} +`,
  )
  return ['sh', '-c', [commandLine(command), `echo "${mark} $?"`, ...read, 'true'].join('; ')]
}
// #endregion with-exit-codes

/**
 * Splits what that command prints into the scheduler's answer, its exit code, and the exit codes by the files' paths.
 */
export function readExitCodes(stdout: string, command: Command, jobs: readonly SubmittedJob[], mark: string) {
  const folders = [...new Set(jobs.map(({ folder }) => folder))]
  const [answer = '', code, ...lists] = splitAt(stdout, mark)
  if (code === undefined || lists.length < folders.length) throw new ParseError(command, stdout, 'an answer to its end')
  const exitCodes = new Map<string, number>()
  for (const [at, list] of lists.entries()) {
    for (const line of list.split('\n')) {
      // A script that somebody edited elsewhere may have left `0\r`. No command ends with more than 255.
      const [, name, text] = /^\.\/(.+):\s*(\d+)\s*$/s.exec(line) ?? []
      if (name !== undefined && Number(text) <= 255) exitCodes.set(`${folders[at]}/${name}`, Number(text))
    }
  }
  return { answer, code: Number(/^\d+/.exec(code)?.[0]), exitCodes }
}

/** Splits text at the marks. What a command prints last may lack its line break. */
const splitAt = (text: string, mark: string) => text.split(new RegExp(`\\n?${mark} `)).map((part) => `${part}\n`)

export interface SettleOptions {
  now: number
  /** How long a job may be missing from the queue without an exit code. */
  patienceMs: number
  /** The scheduler's name, for messages. */
  scheduler: string
  /** The keys (keyOf) of what this client has cancelled. */
  cancelled?: ReadonlySet<string>
}

/** Returns the name of a job, or of one task of it, in sets and maps. */
export const keyOf = (id: string, task?: number) => `${id}/${task ?? ''}`

/**
 * Combines the scheduler's answer and the exit-code files: returns one status for each job, and for each task of an
 * array, in their order.
 *
 * @param missingSince remembers, between polls, since when each job has been missing
 */
export function settle(
  jobs: readonly SubmittedJob[],
  listed: readonly JobStatus[],
  exitCodes: ReadonlyMap<string, number>,
  missingSince: Map<string, number>,
  { now, patienceMs, scheduler, cancelled }: SettleOptions,
): JobStatus[] {
  const statuses = new Map(listed.map((status) => [keyOf(status.id, status.task), status]))
  return jobs.flatMap(({ id, name, folder, array }) =>
    (array ?? [undefined]).map((task) => {
      const own: JobStatus = { id, state: 'unknown', ...(task === undefined ? {} : { task }) }
      const { unread, otherwise, ...status } = statuses.get(keyOf(id, task)) ?? { state: undefined }
      const at = keyOf(id, task)
      const exitCode = exitCodes.get(`${folder}/${jobFiles(name, task).exit}`)
      if (status.state && status.state !== 'unknown' && !otherwise) {
        missingSince.delete(at)
        if (status.state !== 'failed' && status.state !== 'completed') return status
        // Without an exit code, all the scheduler knows is that the job has gone.
        if (status.exitCode !== undefined) {
          // Slurm's sacct takes 128 off: it says 9 of a command that a signal ended with 137.
          const isCut = exitCode === status.exitCode + 128
          return { ...status, ...byExitCode(isCut ? exitCode : status.exitCode) }
        }
        if (status.signal !== undefined) return status
      }
      if (exitCode !== undefined) {
        missingSince.delete(at)
        return { ...own, ...status, ...byExitCode(exitCode) }
      }
      if (status.state && hasEnded(status.state)) return status
      // Some schedulers list an array as a whole.
      const array = (task !== undefined && statuses.get(keyOf(id))) || own
      const { unread: unreadArray, otherwise: otherwiseArray, ...whole } = array
      const asWhole = { ...whole, ...own, state: whole.state }
      const isOpen = whole.state !== 'unknown' && !hasEnded(whole.state)
      if (isOpen && !otherwiseArray) return asWhole
      const text = unread ?? unreadArray
      if (text !== undefined) {
        // It is there, so its time does not run out.
        missingSince.delete(at)
        return { ...own, ...status, state: 'unknown', reason: `${scheduler} says: ${text}` }
      }
      // A waiting task of an array leaves Slurm's queue when it is cancelled, and accounting goes on calling it PENDING.
      if ((!status.state || otherwise) && cancelled?.has(at)) return { ...own, state: 'cancelled' }
      const since = missingSince.get(at) ?? now
      missingSince.set(at, since)
      const isPatient = now - since < patienceMs
      const last = status.state ? status : asWhole
      const end = otherwise ?? otherwiseArray
      if (end) {
        if (isPatient) return last
        const reason = [last.reason ?? last.state, `${scheduler} no longer has it in its queue`].join(', and ')
        return { ...last, state: end, reason }
      }
      const said = status.state ? `${scheduler} does not say how it ended` : `${scheduler} does not list it`
      if (isPatient) return { ...own, reason: `${said}, and it has left no exit code yet` }
      return { ...own, state: 'failed', reason: `${said}, and it has left no exit code` }
    }),
  )
}

/** When a signal ends a command, a shell reports 128 plus the signal's number. */
function byExitCode(code: number): Pick<JobStatus, 'state' | 'exitCode' | 'signal'> {
  if (code === 0) return { state: 'completed', exitCode: 0 }
  return { state: 'failed', exitCode: code, ...(code > 128 ? { signal: String(code - 128) } : {}) }
}
