/** The diamond as it runs: for a terminal, and as a time line. */
import { draw, Plot, palette } from '@repo/common/output/plots'
import type { DagRecord } from './dag.ts'

const signs: Record<DagRecord['state'], string> = {
  queued: '·',
  held: '·',
  running: '▶',
  unknown: '?',
  completed: '✓',
  failed: '✗',
  cancelled: '–',
  'timed out': '✗',
  'out of memory': '✗',
  'node failed': '✗',
}

/** Each level of the graph in its place, in one line: `A ✓ → B ▶  C ▶ → D ·`. */
export function graph(records: readonly DagRecord[]): string {
  const depth = (record: DagRecord): number =>
    Math.max(0, ...records.filter(({ name }) => record.parents.includes(name)).map((parent) => depth(parent) + 1))
  const levels = Map.groupBy(records, depth)
  return [...levels.values()]
    .map((level) => level.map(({ name, state }) => `${name} ${signs[state]}`).join('  '))
    .join('  →  ')
}

const colors = { waited: palette[5], ran: palette[0], failed: palette[4] }

/** When each job waited and ran. Returns SVG text. */
export function drawDag(records: readonly DagRecord[], subtitle: string): string {
  const spans = records.flatMap(({ name, state, startedMs, endedMs = 0 }) => {
    const begun = startedMs ?? endedMs
    return [
      { name, from: 0, to: begun / 1000, color: colors.waited },
      { name, from: begun / 1000, to: endedMs / 1000, color: state === 'completed' ? colors.ran : colors.failed },
    ]
  })
  const ends = records.map(({ name, state, exitCode, endedMs = 0 }) => ({
    name,
    at: endedMs / 1000,
    text: state === 'failed' ? `failed, exit code ${exitCode}` : state,
  }))
  const latest = Math.max(...ends.map(({ at }) => at))
  return draw({
    title: 'A diamond of jobs',
    subtitle,
    height: 300,
    x: { label: 'seconds', domain: [0, latest * 1.25] },
    y: { label: '', type: 'band', domain: records.map(({ name }) => name) },
    legend: [
      { name: 'waited', color: colors.waited },
      { name: 'ran', color: colors.ran },
      ...(records.some(({ state }) => state === 'failed') ? [{ name: 'ran and failed', color: colors.failed }] : []),
    ],
    marks: [
      Plot.barX(spans, { x1: 'from', x2: 'to', y: 'name', fill: 'color', inset: 4 }),
      Plot.text(ends, { x: 'at', y: 'name', text: 'text', textAnchor: 'start', dx: 6, fill: 'currentColor' }),
    ],
  })
}
