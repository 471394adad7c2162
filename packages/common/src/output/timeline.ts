/** Time lines, also called Gantt charts: who did what, from when to when, as a picture. */
import { draw, Plot, palette } from './plots.ts'
import { milliseconds } from './terminal.ts'

/** How a kind of span or mark is drawn. */
export interface Kind {
  /** By default the palette's next colour. */
  color?: string
  /**
   * A span fills the height of its row. `pale` leaves what is drawn over it readable; `narrow` is drawn over other spans.
   *
   * A mark is a `tick` as high as its row, a `dot`, a `sign` (one character), or part of a `density` strip, which is darker
   * where more marks fall.
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
   * Where spans of this row are drawn: all in one line (the default), each in its own line from the top, or in as few lines
   * as possible without overlap.
   */
  lines?: 'one' | 'each' | 'few'
  /** Written after the row's last span. */
  note?: string
}

export interface Timeline<Name extends string> {
  title: string
  subtitle?: string
  /** The legend, in its order; a kind that no row contains is left out. Later kinds are drawn over earlier ones. */
  kinds: Readonly<Record<Name, Kind>>
  /** From the top. */
  rows: readonly Row<Name>[]
  /** In pixels; 26 by default. */
  rowHeight?: number
}

const width = 860
const marginRight = 24
const pixelsPerLetter = 7
/** Narrower spans would not be seen. In pixels. */
const leastWidth = 2
/** Cells in a density strip. */
const cells = 120

/**
 * A row for each process, task or way; boxes for what lasts, marks for moments. The axis is in seconds if the picture
 * covers at least two of them, else in milliseconds.
 *
 * @returns SVG text
 */
export function timeline<Name extends string>(given: Timeline<Name>): string {
  const { title, subtitle, kinds, rows, rowHeight = 26 } = given
  const endMs = latest(rows.flatMap(({ spans = [], marks = [] }) => [...spans.map(({ to }) => to), ...marks.map(at)]))
  const unit = endMs >= 2_000 ? { label: 'seconds', ms: 1_000 } : { label: 'ms', ms: 1 }
  const end = (endMs / unit.ms) * (rows.some(({ note }) => note) ? 1.25 : 1)
  const marginLeft = 24 + pixelsPerLetter * latest(rows.map(({ name }) => name.length))
  const scale = { unitMs: unit.ms, least: (leastWidth * end) / (width - marginLeft - marginRight) }
  const layers = (Object.keys(kinds) as Name[]).flatMap((name, at) => {
    const color = kinds[name].color ?? palette[at % palette.length] ?? 'gray'
    const boxes = boxesOf(rows, name, { ...scale, look: kinds[name].look })
    const marks = rows.flatMap(({ marks = [] }, row) =>
      marks.filter(({ kind }) => kind === name).map(({ at }) => ({ x: at / unit.ms, row })),
    )
    if (boxes.length + marks.length === 0) return []
    return [drawKind(name, { look: kinds[name].look, color, boxes, marks, endMs, unitMs: unit.ms })]
  })
  return draw({
    title,
    ...(subtitle !== undefined && { subtitle }),
    width,
    marginLeft,
    marginRight,
    innerHeight: rowHeight * rows.length,
    grid: 'x',
    x: { label: unit.label, domain: [0, end] },
    y: {
      label: '',
      domain: [rows.length, 0],
      ticks: rows.map((_, row) => row + 0.5),
      tickFormat: (middle) => rows[Number(middle) - 0.5]?.name ?? '',
    },
    legend: layers.map(({ legend }) => legend),
    marks: [
      ...layers.flatMap(({ marks }) => marks),
      Plot.text(
        rows.map(({ note, spans = [] }, row) => ({
          note,
          x: latest(spans.map(({ to }) => to)) / unit.ms,
          y: row + 0.5,
        })),
        { x: 'x', y: 'y', text: 'note', textAnchor: 'start', dx: 6, fill: 'currentColor' },
      ),
    ],
  })
}

const at = (mark: Mark) => mark.at
/** Not by spreading: there may be more numbers than a call can have arguments. */
const latest = (numbers: readonly number[]) => numbers.reduce((most, number) => Math.max(most, number), 0)

interface Box {
  x1: number
  x2: number
  y1: number
  y2: number
  opacity: number
}

/** The spans of one kind; a row is 1 high. */
function boxesOf(
  rows: readonly Row[],
  name: string,
  { unitMs, least, look }: { unitMs: number; least: number; look: Kind['look'] },
): Box[] {
  return rows.flatMap(({ spans = [], lines = 'one' }, row) => {
    const lineOf = linesOf(spans, lines)
    // The lines of one row stand closer to each other than to the next row.
    const [margin, inset] = lines === 'one' ? [0, look === 'narrow' ? 0.28 : 0.08] : [0.1, 0.05]
    const height = (1 - 2 * margin) / (1 + latest(lineOf))
    const boxes: Box[] = []
    let before: Pick<Box, 'x2' | 'opacity'> = { x2: Number.NEGATIVE_INFINITY, opacity: 1 }
    for (const [index, { kind, from, to }] of spans.entries()) {
      if (kind !== name) continue
      const x1 = from / unitMs
      const x2 = Math.max(to / unitMs, x1 + least)
      const y = row + margin + (lineOf[index] ?? 0) * height
      // Neighbours of one kind that touch are told apart by their shade.
      const touches = lines === 'one' && x1 - before.x2 < least / 4
      const opacity = look === 'pale' ? 0.5 : touches && before.opacity === 1 ? 0.6 : 1
      boxes.push({ x1, x2, y1: y + inset * height, y2: y + (1 - inset) * height, opacity })
      before = { x2, opacity }
    }
    return boxes
  })
}

/** For each span the line of its row in which it is drawn, from 0. */
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

interface Layer {
  look: Kind['look']
  color: string
  boxes: Box[]
  marks: { x: number; row: number }[]
  endMs: number
  unitMs: number
}

/** What Plot draws for a kind, and its entry in the legend. */
function drawKind(name: string, { look, color, boxes, marks, endMs, unitMs }: Layer) {
  const corners = { x1: 'x1', x2: 'x2', y1: 'y1', y2: 'y2', fill: color, fillOpacity: 'opacity' }
  const drawn = Plot.rect(boxes, corners)
  const center = { x: 'x', y: ({ row }: { row: number }) => row + 0.5, fill: color }
  if (typeof look === 'object') {
    const font = { stroke: 'white', strokeWidth: 3, fontSize: 17, fontWeight: 'bold' }
    const signs = Plot.text(marks, { ...center, ...font, text: () => look.sign })
    return { legend: { name, color, sign: look.sign }, marks: [drawn, signs] }
  }
  if (look === 'dot') {
    return { legend: { name, color, style: 'dots' as const }, marks: [drawn, Plot.dot(marks, { ...center, r: 3.5 })] }
  }
  if (look === 'density') {
    const strip = density(marks, endMs / unitMs)
    const most = latest(strip.map(({ count }) => count))
    const legend = { name: `${name}, at most ${most} in ${milliseconds(endMs / cells)}`, color }
    return { legend, marks: [drawn, Plot.rect(strip, { ...corners, fillOpacity: ({ count }) => count / most })] }
  }
  const ticks = marks.map(({ x, row }) => ({ x, y1: row + 0.08, y2: row + 0.92 }))
  const stroke = { x: 'x', y1: 'y1', y2: 'y2', stroke: color, strokeWidth: 2 }
  return { legend: { name, color }, marks: [drawn, Plot.ruleX(ticks, stroke)] }
}

/** How many marks fall into each cell of a strip from 0 to `end`. */
function density(marks: Layer['marks'], end: number) {
  return [...Map.groupBy(marks, ({ row }) => row)].flatMap(([row, own]) => {
    const counts = new Array<number>(cells).fill(0)
    for (const { x } of own) {
      const cell = Math.min(cells - 1, Math.max(0, Math.floor((x / end) * cells)))
      counts[cell] = (counts[cell] ?? 0) + 1
    }
    const edge = (cell: number) => (cell / cells) * end
    return counts.map((count, cell) => ({ x1: edge(cell), x2: edge(cell + 1), y1: row + 0.02, y2: row + 0.98, count }))
  })
}
