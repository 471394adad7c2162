/** A time line as a picture: a lane for each process or task, a bar for each thing it did. */
import { draw, Plot, palette } from '@repo/common/output/plots'

export interface Bar {
  /** In ms, on one clock. */
  begin: number
  end: number
  /** Its colour's entry in the legend. */
  kind: string
  /** Written on it, if it is long enough. */
  label?: string
}

export interface Lane {
  name: string
  bars: Bar[]
}

/** Bars are at least this wide, in pixels, so that short ones are seen. */
const leastWidth = 2
const pixelsPerLetter = 7
/** The palette's red, which is not among the first ones. */
const failed = palette[4]
const width = 860
const marginRight = 24

/** @returns SVG text; time begins at 0 with the first bar */
export function drawTimeline(frame: { title: string; subtitle?: string; lanes: Lane[]; kinds: string[] }): string {
  const { title, subtitle, lanes, kinds } = frame
  const bars = lanes.flatMap(({ name, bars }) => bars.map((bar) => ({ ...bar, lane: name })))
  const start = Math.min(...bars.map(({ begin }) => begin))
  const end = Math.max(...bars.map(({ end }) => end)) - start
  const marginLeft = 24 + pixelsPerLetter * Math.max(...lanes.map(({ name }) => name.length))
  const perPixel = end / (width - marginLeft - marginRight)
  const color = (kind: string) => (kind === 'failed' ? failed : palette[kinds.indexOf(kind) % palette.length]) ?? 'gray'
  const shown = bars.map((bar) => ({
    ...bar,
    x1: bar.begin - start,
    x2: Math.max(bar.end - start, bar.begin - start + leastWidth * perPixel),
    text: (bar.end - bar.begin) / perPixel > pixelsPerLetter * (bar.label ?? '').length ? bar.label : '',
  }))
  return draw({
    title,
    width,
    marginLeft,
    marginRight,
    height: 130 + 26 * lanes.length,
    ...(subtitle !== undefined && { subtitle }),
    x: { label: 'ms', domain: [0, end] },
    y: { label: '', type: 'band', domain: lanes.map(({ name }) => name) },
    legend: kinds.map((name) => ({ name, color: color(name) })),
    marks: [
      Plot.barX(shown, {
        x1: 'x1',
        x2: 'x2',
        y: 'lane',
        fill: ({ kind }: Bar) => color(kind),
        insetTop: 2,
        insetBottom: 2,
      }),
      Plot.text(shown, { x: 'x1', y: 'lane', text: 'text', textAnchor: 'start', dx: 4, fill: 'white' }),
    ],
  })
}
