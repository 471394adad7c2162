/** The tasks of a run, for people: a small board, a summary in words, and why a task failed. */
import { constants } from 'node:os'
import type { TaskRecord } from './run.ts'

const signs: Record<TaskRecord['state'], string> = {
  waiting: ' ',
  queued: '·',
  held: 'h',
  running: '▶',
  unknown: '?',
  completed: '█',
  failed: '✗',
  cancelled: 'c',
  'timed out': 't',
  'out of memory': 'm',
  'node failed': 'n',
}

/** A board for a terminal: one sign for each task, in rows of `columns`. */
export function board(tasks: readonly TaskRecord[], columns = 64): string {
  const all = tasks.map(({ state }) => signs[state])
  const rows = Array.from({ length: Math.ceil(all.length / columns) }, (_, row) =>
    all.slice(row * columns, (row + 1) * columns).join(''),
  )
  return rows.join('\n')
}

/** The number of tasks in each state: `12 completed, 4 running on n1, n2, 8 queued`. */
export function summary(tasks: readonly TaskRecord[]): string {
  const states = Object.keys(signs) as TaskRecord['state'][]
  const parts = states.reverse().flatMap((state) => {
    const those = tasks.filter((task) => task.state === state)
    if (those.length === 0) return []
    const nodes = [...new Set(those.flatMap(({ node }) => node ?? []))].sort()
    const where = state === 'running' && nodes.length > 0 ? ` on ${nodes.slice(0, 4).join(', ')}` : ''
    // Some schedulers hold a job that failed to start, and only the reader can release it.
    const why = state === 'held' && those[0]?.reason ? ` (${those[0].reason})` : ''
    return [`${those.length} ${state}${where}${why}`]
  })
  return parts.join(', ')
}

/** The number of tasks that have completed. */
export function completed(tasks: readonly TaskRecord[]): number {
  return tasks.filter(({ state }) => state === 'completed').length
}

/** Who may have sent a signal, where the scheduler does not say. */
const whoSends: Record<string, string> = {
  SIGKILL: ': by somebody, or by the kernel of a node that had no memory left',
  SIGTERM: ': by somebody, or at the end of its walltime',
}

/**
 * Why a task failed, in words for the person who has to do something about it.
 *
 * @param log the last lines of the task's output
 */
export function explain({ state, exitCode, signal, reason }: TaskRecord, log: string): string {
  // #region explain
  // When a signal ends the command, the job's script reports 128 plus the signal's number.
  const number = Number(signal ?? (exitCode !== undefined && exitCode > 128 ? exitCode - 128 : 0))
  if (state === 'timed out') return 'it was still running at the end of its walltime'
  if (state === 'out of memory') return 'it used more memory than it had asked for'
  if (state === 'node failed') return 'its node failed'
  if (state === 'cancelled') return 'somebody cancelled it'
  if (number > 0) {
    const [name = `signal ${number}`] = Object.entries(constants.signals).find(([, value]) => value === number) ?? []
    return `it was ended by ${name}${whoSends[name] ?? ''}`
  }
  if (exitCode === 127) return 'its program is not on the node'
  if (exitCode === undefined) return reason ?? 'unknown'
  const lines = log.split('\n').map((line) => line.trim())
  const thrown = lines.find((line) => /^(Uncaught )?\w*(Error|Exception)\b.*:/.test(line))
  return thrown ? `it threw ${thrown}` : `it exited with ${exitCode}: ${lines.findLast(Boolean) ?? 'without a word'}`
  // #endregion explain
}
