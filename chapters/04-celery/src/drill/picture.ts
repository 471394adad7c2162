/** The time line of a drill: who was up, who was cut off, what struck, and how many jobs were done meanwhile. */
import { palette } from '@repo/common/output/plots'
import { timeline } from '@repo/common/output/timeline'
import type { DrillReport } from './drill.ts'

/** @returns SVG text */
export function drawDrill({ rows, faults, doneMs }: DrillReport, title: string): string {
  const struck = (name: string) => faults.filter(({ target }) => target === name)
  return timeline({
    title,
    subtitle: 'A gap in a row: dead. The last row is darker where more jobs were done.',
    rowHeight: 34,
    kinds: {
      up: { look: 'pale' },
      'cut off': {},
      'jobs done': { look: 'density' },
      'a fault': { look: 'dot', color: palette[4] },
    },
    rows: [
      ...rows.map((row) => ({
        ...row,
        marks: struck(row.name).map(({ atMs }) => ({ kind: 'a fault' as const, at: atMs })),
      })),
      { name: 'jobs done', marks: doneMs.map((at) => ({ kind: 'jobs done' as const, at })) },
    ],
  })
}
