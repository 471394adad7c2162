/** What happens to the jobs of a worker whose machine is taken away, in figures and as a picture. */
import { palette } from '@repo/common/output/plots'
import { type Row, timeline } from '@repo/common/output/timeline'
import type { Report } from './map-reduce.ts'

export interface InterruptedRun {
  /** Whether the worker heeded the notice. */
  heeded: boolean
  /** When the run began, in milliseconds since 1970, like the times of reports and marks. */
  start: number
  reports: Report[]
  /** When the notice appeared, and when the machine ended. */
  marks: number[]
}

export interface Interruption {
  /** Jobs that the worker put back before it left. */
  putBack: number
  /** Jobs that another worker began again. */
  again: number
  /** The longest time that one of these sat idle, in milliseconds. */
  idleMs: number
}

/** A job sits idle from when it was put back, or from the end of the machine, until another worker begins it again. */
export function interruptionOf({ reports, marks }: Pick<InterruptedRun, 'reports' | 'marks'>): Interruption {
  const putBack = reports.filter(({ outcome }) => outcome === 'put back')
  const again = reports.filter(({ outcome, tries }) => outcome === 'done' && tries > 1)
  const end = marks.at(-1) ?? 0
  const idle = again.map(({ job, from }) => from - (putBack.find((report) => report.job === job)?.to ?? end))
  return { putBack: putBack.length, again: again.length, idleMs: Math.max(0, ...idle) }
}

type Kind = 'job' | 'put back' | 'begun again' | 'notice, and end of the machine'

/** Draws a row for each worker and run, and a bar for each job. Returns SVG text. */
export function drawInterruptions(runs: readonly InterruptedRun[]): string {
  return timeline({
    title: 'A machine is taken away',
    subtitle: 'each bar is a job; each worker runs two at a time',
    rowHeight: 44,
    kinds: {
      job: { look: 'pale' },
      'put back': { color: palette[5] },
      'begun again': { color: palette[1] },
      'notice, and end of the machine': { look: 'tick', color: palette[4] },
    },
    rows: runs.flatMap(({ heeded, start, reports, marks }) =>
      ['spot', 'other'].map(
        (name): Row<Kind> => ({
          name: `${name}, notice ${heeded ? 'heeded' : 'not heeded'}`,
          lines: 'few',
          spans: reports
            .filter(({ worker }) => worker === name)
            .map(({ outcome, tries, from, to }) => ({
              kind: outcome === 'put back' ? outcome : tries > 1 ? 'begun again' : 'job',
              from: from - start,
              to: to - start,
            })),
          marks: name === 'spot' ? marks.map((at) => ({ kind: 'notice, and end of the machine', at: at - start })) : [],
        }),
      ),
    ),
  })
}
