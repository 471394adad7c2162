/** What became of the jobs of a worker that was taken away, as a picture. */
import { draw, Plot, palette } from '@repo/common/output/plots'
import type { LostMachine } from './losses.ts'

/** A row for each worker and run, a bar for each job. Returns SVG text. */
export function timeLine(runs: readonly LostMachine[]): string {
  const colors = { first: palette[0], again: palette[1], 'put back': palette[5] }
  const row = (heeded: boolean, worker: string) => `${worker}, notice ${heeded ? 'heeded' : 'not heeded'}`
  const bars = runs.flatMap(({ heeded, start, reports }) =>
    reports.map(({ worker, outcome, tries, from, to }) => ({
      row: row(heeded, worker),
      from: (from - start) / 1000,
      to: (to - start) / 1000,
      color: outcome === 'put back' ? colors['put back'] : tries > 1 ? colors.again : colors.first,
    })),
  )
  const marks = runs.flatMap(({ heeded, start, marks }) =>
    marks.map((at) => ({ row: row(heeded, 'spot'), at: (at - start) / 1000 })),
  )
  return draw({
    title: 'A machine is taken away',
    subtitle: 'each bar is a job; two at once in each worker',
    x: { label: 'seconds' },
    y: { label: '', type: 'band', domain: runs.flatMap(({ heeded }) => [row(heeded, 'spot'), row(heeded, 'other')]) },
    height: 320,
    marginLeft: 170,
    legend: [
      { name: 'job', color: colors.first },
      { name: 'put back', color: colors['put back'] },
      { name: 'begun again', color: colors.again },
      { name: 'notice, and end of the machine', color: palette[4] },
    ],
    marks: [
      Plot.barX(bars, { x1: 'from', x2: 'to', y: 'row', fill: 'color', fillOpacity: 0.55, stroke: 'color', inset: 1 }),
      Plot.tickX(marks, { x: 'at', y: 'row', stroke: palette[4], strokeWidth: 2 }),
    ],
  })
}
