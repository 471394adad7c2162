/** What became of the jobs of a worker that was taken away. */
import type { Report } from './map-reduce.ts'

export interface LostMachine {
  heeded: boolean
  /** When the run began, in milliseconds since 1970; as are the times of reports and marks. */
  start: number
  reports: Report[]
  /** When the notice appeared, and when the machine ended. */
  marks: number[]
}

export interface Losses {
  /** Jobs that a worker put back before it left. */
  putBack: number
  /** Jobs that were begun again by somebody else. */
  again: number
  /** The longest that one of these lay idle, in milliseconds. */
  idleMs: number
}

/** How long jobs lay idle: from when they were put back, or from the end of the machine, until somebody else began them. */
export function losses({ reports, marks }: Pick<LostMachine, 'reports' | 'marks'>): Losses {
  const putBack = reports.filter(({ outcome }) => outcome === 'put back')
  const again = reports.filter(({ outcome, tries }) => outcome === 'done' && tries > 1)
  const end = marks.at(-1) ?? 0
  const idle = again.map(({ job, from }) => from - (putBack.find((report) => report.job === job)?.to ?? end))
  return { putBack: putBack.length, again: again.length, idleMs: Math.max(0, ...idle) }
}
