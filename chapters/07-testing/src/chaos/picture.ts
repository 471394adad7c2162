/**
 * The timeline of a run: which processes were up, whose line was slow or silent, what struck, and when orders ended or
 * broke.
 */
import { palette } from '@repo/common/output/plots'
import { timeline } from '@repo/common/output/timeline'
import type { Violation } from '../pipeline/invariants.ts'
import type { Outcome, Struck } from './chaos.ts'
import type { FaultKind } from './faults.ts'

const red = palette[4]
/** The other kinds last for a while, and are shown as spans. */
const markOf = {
  kill: 'killed',
  restart: 'killed',
  cut: 'connections reset',
  clock: 'clock set wrong',
} as const satisfies Partial<Record<FaultKind, string>>

/** @returns SVG text */
export function drawChaos(
  { rows, endedMs, touchedMs }: Outcome,
  { struck, violations, title }: { struck: readonly Struck[]; violations: readonly Violation[]; title: string },
): string {
  // An order that broke ends where it was last touched.
  const brokenMs = violations.flatMap(({ order = '' }) => touchedMs.get(order) ?? [])
  const named = Map.groupBy(violations, ({ invariant }) => invariant)
  const verdict = [...named].map(([name, { length }]) => `${name}: ${length}`).join(', ')
  const marksOf = (name: string) =>
    struck.flatMap(({ kind, target, atMs }) =>
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
