/** The picture of a trace. */
import { timeline } from '@repo/common/output/timeline'
import { extent, type Row } from './waterfall.ts'

/** A line for each span, in its process's colour, as SVG text. */
export function waterfallPicture(rows: readonly Row[], subtitle: string): string {
  const { startMs } = extent(rows.map(({ span }) => span))
  return timeline({
    title: 'One order, one trace',
    subtitle,
    rowHeight: 16,
    kinds: Object.fromEntries(rows.map(({ span }) => [span.process, {}])),
    rows: rows.map(({ span, depth }) => ({
      name: `${'\u00a0\u00a0'.repeat(depth)}${span.name}`,
      spans: [{ kind: span.process, from: span.startMs - startMs, to: span.endMs - startMs }],
    })),
  })
}
