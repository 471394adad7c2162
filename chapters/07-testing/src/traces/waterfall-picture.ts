/** The picture of a trace. */
import { draw, Plot, palette } from '@repo/common/output/plots'
import { extent, type Row } from './waterfall.ts'

/** A line for each span, in its process's colour, as SVG text. */
export function waterfallPicture(rows: readonly Row[], subtitle: string): string {
  const processes = [...new Set(rows.map(({ span }) => span.process))]
  const colorOf = (process: string) => palette[processes.indexOf(process) % palette.length] ?? palette[0]
  const { startMs, endMs } = extent(rows.map(({ span }) => span))
  const names = rows.map(({ span, depth }, at) => `${'\u00a0\u00a0'.repeat(depth)}${span.name}${'\u200b'.repeat(at)}`)
  const bars = rows.map(({ span }, at) => ({
    name: names[at],
    from: span.startMs - startMs,
    to: Math.max(span.endMs - startMs, span.startMs - startMs + (endMs - startMs) / 500),
    color: colorOf(span.process),
  }))
  return draw({
    title: 'One order, one trace',
    subtitle,
    width: 900,
    height: 130 + 16 * rows.length,
    marginLeft: 250,
    x: { label: 'ms' },
    y: { label: '', type: 'band', domain: names, tickFormat: (name) => String(name) },
    grid: false,
    legend: processes.map((name) => ({ name, color: colorOf(name) })),
    marks: [
      Plot.gridX(),
      Plot.barX(bars, {
        x1: 'from',
        x2: 'to',
        y: 'name',
        fill: (each: (typeof bars)[number]) => each.color,
        insetTop: 1,
        insetBottom: 1,
      }),
    ],
  })
}
