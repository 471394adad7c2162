/** The time line of a run: who was up, who was cut off, what struck, which orders ended, and which were broken. */
import { palette } from '@repo/common/output/plots'
import { timeline } from '@repo/common/output/timeline'
import type { ChaosReport } from './chaos.ts'
import type { FaultKind } from './faults.ts'

const red = palette[4]
/** Faults that last are seen as spans. */
const markOf = {
  kill: 'killed',
  restart: 'killed',
  cut: 'connections reset',
  clock: 'clock set wrong',
} as const satisfies Partial<Record<FaultKind, string>>

/** @returns SVG text */
export function drawChaos({ rows, faults, endedMs, brokenMs, violations }: ChaosReport, title: string): string {
  const named = Map.groupBy(violations, ({ invariant }) => invariant)
  const verdict = [...named].map(([name, { length }]) => `${name}: ${length}`).join(', ')
  const marksOf = (name: string) =>
    faults.flatMap(({ kind, target, atMs }) =>
      target === name && kind in markOf ? [{ kind: markOf[kind as keyof typeof markOf], at: atMs }] : [],
    )
  return timeline({
    title,
    subtitle: `Gaps: dead. ${verdict ? `Broken: ${verdict}.` : 'No invariant was broken.'}`,
    rowHeight: 34,
    kinds: {
      up: { look: 'pale' },
      'line slow': { look: 'narrow' },
      'line silent': { look: 'narrow', color: palette[3] },
      killed: { look: { sign: '✕' }, color: red },
      'connections reset': { look: { sign: '✂' }, color: red },
      'clock set wrong': { look: { sign: '◷' }, color: red },
      'orders ended': { look: 'density', color: palette[2] },
      'an order that was broken': { look: 'dot', color: red },
    },
    rows: [
      ...rows.map((row) => ({ ...row, marks: marksOf(row.name) })),
      {
        name: 'orders ended',
        marks: [
          ...[...endedMs.values()].map((at) => ({ kind: 'orders ended' as const, at })),
          ...brokenMs.map((at) => ({ kind: 'an order that was broken' as const, at })),
        ],
      },
    ],
  })
}
