/** Time lines, also called Gantt charts: pictures of who did what, and when. */
import { largest } from '../extremes.ts'
import { draw, type Legend, type Markish, type Plot, palette } from './plots.ts'
import { milliseconds } from './terminal.ts'

/** How a kind of span or mark is drawn. */
export interface Kind {
  /** By default the palette's next colour. */
  color?: string
  /**
   * A span is a box as high as its row. A `pale` box can have others drawn over it, and a `narrow` one is drawn over
   * others.
   *
   * A mark is a `tick` as high as its row (the default), a `dot`, a `sign` of one character, or part of a `density`
   * strip, which is darker where there are more marks.
   */
  look?: 'pale' | 'narrow' | 'tick' | 'dot' | 'density' | { sign: string }
}

/** Something that lasts. Times are in ms from the left edge of the picture. */
export interface Span<Name extends string = string> {
  kind: Name
  from: number
  to: number
}

/** Something that happens at one moment. */
export interface Mark<Name extends string = string> {
  kind: Name
  at: number
}

export interface Row<Name extends string = string> {
  name: string
  spans?: readonly Span<Name>[]
  marks?: readonly Mark<Name>[]
  /**
   * All spans of the row are in `one` line (the default), `each` has its own, or they share as `few` lines as possible
   * without overlaps.
   */
  lines?: 'one' | 'each' | 'few'
  /** Text after the row's last span. */
  note?: string
}

/** A moment in a row. */
interface Point {
  row: number
  at: number
}

export interface Timeline<Name extends string> {
  title: string
  subtitle?: string
  /** In the order of the legend, which leaves out kinds that do not occur. Later kinds are drawn over earlier ones. */
  kinds: Readonly<Record<Name, Kind>>
  /** From the top. */
  rows: readonly Row<Name>[]
  /** Dashed lines with a head, from a moment in one row to a moment in another. Rows count from 0. */
  arrows?: readonly { from: Point; to: Point }[]
  /** In pixels; 26 by default. */
  rowHeight?: number
}

const width = 860
const marginRight = 24
const pixelsPerLetter = 7
/** Narrower spans would be invisible. In pixels. */
const leastWidth = 2
/** The number of cells in a density strip. */
const cellCount = 120

/**
 * Draws a row for each process or task, with boxes for spans and with marks for moments. The axis is in seconds if the
 * picture covers at least two of them, otherwise in milliseconds.
 *
 * @returns SVG text
 */
export function timeline<Name extends string>(given: Timeline<Name>): string {
  const { title, subtitle, kinds, rowHeight = 26 } = given
  const endMs = latest(
    given.rows.flatMap(({ spans = [], marks = [] }) => [...spans.map(endOf), ...marks.map(momentOf)]),
  )
  const unit = endMs >= 2_000 ? { label: 'seconds', ms: 1_000 } : { label: 'ms', ms: 1 }
  const rows = given.rows.map(({ spans = [], marks = [], ...row }) => ({
    ...row,
    spans: spans.map(({ kind, from, to }) => ({ kind, from: from / unit.ms, to: to / unit.ms })),
    marks: marks.map(({ kind, at }) => ({ kind, at: at / unit.ms })),
  }))
  const end = endMs / unit.ms
  const right = end * (rows.some(({ note }) => note) ? 1.25 : 1)
  const marginLeft = 24 + pixelsPerLetter * latest(rows.map(({ name }) => name.length))
  const least = (leastWidth * right) / (width - marginLeft - marginRight)

  const layers = (Object.keys(kinds) as Name[])
    .map((name, at): Layer => {
      const { look, color = palette[at % palette.length] ?? 'gray' } = kinds[name]
      const marks = rows.flatMap(({ marks }, row) =>
        marks.flatMap(({ kind, at }) => (kind === name ? [{ x: at, y: row + 0.5, row }] : [])),
      )
      return { name, color, look, boxes: boxesOf(rows, name, { least, look }), marks, cells: [] }
    })
    .filter(({ boxes, marks }) => boxes.length + marks.length > 0)
  for (const layer of layers) if (layer.look === 'density') layer.cells = density(layer.marks, end)

  const arrows = (given.arrows ?? []).map(({ from, to }) => {
    const [x1, x2] = [from.at / unit.ms, to.at / unit.ms]
    return { x1, y1: from.row + 0.5, x2, y2: to.row + 0.5 }
  })
  const notes = rows.map(({ note, spans }, row) => ({ note, x: latest(spans.map(endOf)), y: row + 0.5 }))
  return draw({
    title,
    ...(subtitle !== undefined && { subtitle }),
    width,
    marginLeft,
    marginRight,
    innerHeight: rowHeight * rows.length,
    grid: 'x',
    x: { label: unit.label, domain: [0, right] },
    y: {
      label: '',
      domain: [rows.length, 0],
      ticks: rows.map((_, row) => row + 0.5),
      tickFormat: (middle) => rows[Number(middle) - 0.5]?.name ?? '',
    },
    legend: layers.map((layer) => legendOf(layer, endMs / cellCount)),
    marks: (plot) => [
      ...layers.flatMap((layer) => marksOf(plot, layer)),
      // Plot would draw an empty group.
      ...(arrows.length > 0
        ? [plot.arrow(arrows, { x1: 'x1', y1: 'y1', x2: 'x2', y2: 'y2', strokeDasharray: '4 3', headLength: 7 })]
        : []),
      plot.text(notes, { x: 'x', y: 'y', text: 'note', textAnchor: 'start', dx: 6, fill: 'currentColor' }),
    ],
  })
}

const endOf = ({ to }: Span) => to
const momentOf = ({ at }: Mark) => at
const latest = (numbers: readonly number[]) => Math.max(0, largest(numbers))

/** All spans and marks of one kind, in the units of the axes. A row has height 1. */
interface Layer {
  name: string
  color: string
  look: Kind['look']
  boxes: Box[]
  marks: { x: number; y: number; row: number }[]
  /** Of a density strip, with the number of marks in each. */
  cells: (Box & { count: number })[]
}

interface Box {
  x1: number
  x2: number
  y1: number
  y2: number
  opacity: number
}

/** Returns the boxes for the spans of one kind. */
function boxesOf(
  rows: readonly (Row & { spans: readonly Span[] })[],
  name: string,
  { least, look }: { least: number; look: Kind['look'] },
): Box[] {
  return rows.flatMap(({ spans, lines = 'one' }, row) => {
    const lineOf = linesOf(spans, lines)
    // The lines of one row are closer to each other than to the next row.
    const [margin, inset] = lines === 'one' ? [0, look === 'narrow' ? 0.28 : 0.08] : [0.1, 0.05]
    const height = (1 - 2 * margin) / (1 + latest(lineOf))
    const boxes: Box[] = []
    let before: Pick<Box, 'x2' | 'opacity'> = { x2: Number.NEGATIVE_INFINITY, opacity: 1 }
    for (const [index, { kind, from, to }] of spans.entries()) {
      if (kind !== name) continue
      const x2 = Math.max(to, from + least)
      const y = row + margin + (lineOf[index] ?? 0) * height
      // A lighter shade separates neighbours of one kind that touch.
      const touches = lines === 'one' && from - before.x2 < least / 4
      const opacity = look === 'pale' ? 0.5 : touches && before.opacity === 1 ? 0.6 : 1
      boxes.push({ x1: from, x2, y1: y + inset * height, y2: y + (1 - inset) * height, opacity })
      before = { x2, opacity }
    }
    return boxes
  })
}

/** Returns, for each span, its line in the row, from 0. */
function linesOf(spans: readonly Span[], lines: Row['lines']): number[] {
  if (lines === 'each') return spans.map((_, index) => index)
  if (lines !== 'few') return spans.map(() => 0)
  const ends: number[] = []
  const lineOf = new Map<Span, number>()
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    const free = ends.findIndex((end) => end <= span.from)
    const line = free === -1 ? ends.length : free
    ends[line] = span.to
    lineOf.set(span, line)
  }
  return spans.map((span) => lineOf.get(span) ?? 0)
}

/** Counts the marks in each cell of a strip from 0 to `end`. */
function density(marks: Layer['marks'], end: number): Layer['cells'] {
  const edge = (cell: number) => (cell / cellCount) * end
  const strips = [...Map.groupBy(marks, ({ row }) => row)].map(([row, own]) => {
    const counts = new Array<number>(cellCount).fill(0)
    for (const { x } of own) {
      const cell = Math.min(cellCount - 1, Math.max(0, Math.floor((x / end) * cellCount)))
      counts[cell] = (counts[cell] ?? 0) + 1
    }
    return counts.map((count, cell) => ({ count, x1: edge(cell), x2: edge(cell + 1), y1: row + 0.02, y2: row + 0.98 }))
  })
  const most = latest(strips.flat().map(({ count }) => count))
  // The square root keeps cells with few marks visible next to a very full one.
  return strips.flat().map((cell) => ({ ...cell, opacity: Math.sqrt(cell.count / most) }))
}

function legendOf({ name, color, look, cells }: Layer, cellMs: number): Legend {
  if (typeof look === 'object') return { name, color, sign: look.sign }
  if (look === 'dot') return { name, color, style: 'dots' }
  if (look !== 'density') return { name, color }
  const most = latest(cells.map(({ count }) => count))
  return { name: `${name}, at most ${most} in ${milliseconds(cellMs)}`, color }
}

function marksOf(plot: Plot, { color, look, boxes, marks, cells }: Layer): Markish[] {
  const corners = { x1: 'x1', x2: 'x2', y1: 'y1', y2: 'y2', fill: color, fillOpacity: 'opacity' }
  const drawn: Markish[] = [plot.rect(boxes, corners)]
  if (typeof look === 'object') {
    const font = { stroke: 'white', strokeWidth: 3, fontSize: 17, fontWeight: 'bold' }
    drawn.push(plot.text(marks, { x: 'x', y: 'y', fill: color, ...font, text: () => look.sign }))
  } else if (look === 'dot') drawn.push(plot.dot(marks, { x: 'x', y: 'y', fill: color, r: 3.5 }))
  else if (look === 'density') drawn.push(plot.rect(cells, corners))
  else {
    const ticks = marks.map(({ x, row }) => ({ x, y1: row + 0.08, y2: row + 0.92 }))
    drawn.push(plot.ruleX(ticks, { x: 'x', y1: 'y1', y2: 'y2', stroke: color, strokeWidth: 2 }))
  }
  return drawn
}
