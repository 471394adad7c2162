/** The diamond as it runs: for a terminal, and as a time line. */
import { palette } from '@repo/common/output/plots'
import { timeline } from '@repo/common/output/timeline'
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

/** When each job waited and ran. Returns SVG text. */
export function drawDag(records: readonly DagRecord[], subtitle: string): string {
  return timeline({
    title: 'A diamond of jobs',
    subtitle,
    rowHeight: 36,
    kinds: { waited: { color: palette[5] }, ran: { color: palette[0] }, 'ran and failed': { color: palette[4] } },
    rows: records.map(({ name, state, startedMs, endedMs = 0, exitCode }) => ({
      name,
      spans: [
        { kind: 'waited', from: 0, to: startedMs ?? endedMs },
        ...(startedMs === undefined
          ? []
          : [{ kind: state === 'completed' ? 'ran' : 'ran and failed', from: startedMs, to: endedMs } as const]),
      ],
      note: state === 'failed' ? `failed, exit code ${exitCode}` : state,
    })),
  })
}
