/** The tasks of a run on one small board, for a terminal that shows it again and again. */
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

/** One sign for each task, in rows of `columns`. */
export function board(tasks: readonly TaskRecord[], columns = 64): string {
  const all = tasks.map(({ state }) => signs[state])
  const rows = Array.from({ length: Math.ceil(all.length / columns) }, (_, row) =>
    all.slice(row * columns, (row + 1) * columns).join(''),
  )
  return rows.join('\n')
}

/** How many tasks are in which state: `12 completed, 4 running on n1 and n2, 8 queued`. */
export function summary(tasks: readonly TaskRecord[]): string {
  const states = Object.keys(signs) as TaskRecord['state'][]
  const parts = states.reverse().flatMap((state) => {
    const those = tasks.filter((task) => task.state === state)
    if (those.length === 0) return []
    const nodes = [...new Set(those.flatMap(({ node }) => node ?? []))].sort()
    const where = state === 'running' && nodes.length > 0 ? ` on ${nodes.slice(0, 4).join(', ')}` : ''
    // Nobody but the reader can release them: some schedulers hold a job whose start has failed.
    const why = state === 'held' && those[0]?.reason ? ` (${those[0].reason})` : ''
    return [`${those.length} ${state}${where}${why}`]
  })
  return parts.join(', ')
}

/** How many tasks have ended well. */
export function completed(tasks: readonly TaskRecord[]): number {
  return tasks.filter(({ state }) => state === 'completed').length
}
