/** A history as a message diagram: a line for each node, an arrow for each message, with time running downwards. */
import { draw, palette } from '@repo/common/output/plots'
import type { Happening, Sent } from './simulator.ts'

const [blue, , , , red, grey] = palette
const rowHeight = 13

interface Moment {
  line: Happening
  atMs: number
  /** The arrival of a message, not its sending. */
  isEnd: boolean
}

/**
 * Draws a history. Each sending and each arrival has its own row: rows are in time order, but not to scale.
 *
 * @param columns the nodes, from left to right
 * @returns SVG text
 */
export function drawSequence(
  history: readonly Happening[],
  { columns, title, subtitle }: { columns: readonly string[]; title: string; subtitle: string },
): string {
  const moments = history
    .flatMap((line): Moment[] => {
      if (line.kind === 'node') return [{ line, atMs: line.atMs, isEnd: false }]
      return [
        { line, atMs: line.sentMs, isEnd: false },
        { line, atMs: line.arrivesMs, isEnd: true },
      ]
    })
    .sort((a, b) => a.atMs - b.atMs)
  const rows = new Map<Happening, { begin: number; end: number }>()
  for (const [row, { line, isEnd }] of moments.entries()) {
    rows.set(line, { begin: isEnd ? (rows.get(line)?.begin ?? row) : row, end: row })
  }
  const columnOf = (node: string) => columns.indexOf(node)
  const messages = history.filter((line): line is Sent => line.kind === 'message')
  const strikes = history.filter((line) => line.kind === 'node')
  const arrows = messages.map((line) => {
    const { begin = 0, end = 0 } = rows.get(line) ?? {}
    const [from, to] = [columnOf(line.from), columnOf(line.to)]
    // The arrow of a lost message stops short of the receiver.
    const reaches = line.lost ? 0.7 : 1
    const text = line.lost ? `${line.text} (${line.lost})` : line.text
    return {
      from,
      to: from + reaches * (to - from),
      begin,
      end: begin + reaches * (end - begin),
      text,
      lost: Boolean(line.lost),
    }
  })
  /** The text of a fault is on the right, unless an arrow's text is already there and the left is free. */
  const isOnLeft = (line: Happening & { kind: 'node' }) => {
    const [at, row] = [columnOf(line.node), rows.get(line)?.begin ?? 0]
    const isTaken = (middle: number) =>
      arrows.some(({ from, to, begin, end }) => {
        return Math.abs((from + to) / 2 - middle) < 0.4 && Math.abs((begin + end) / 2 - row) < 2.5
      })
    return at > 0 && isTaken(at + 0.5) && !isTaken(at - 0.5)
  }
  const last = moments.length
  type Arrow = (typeof arrows)[number]
  const ends = { x1: 'from', x2: 'to', y1: 'begin', y2: 'end' }
  return draw({
    title,
    subtitle,
    height: 130 + rowHeight * last,
    width: 900,
    marginLeft: 60,
    marginRight: 60,
    grid: false,
    x: {
      label: '',
      domain: [0, columns.length - 1],
      ticks: columns.map((_, at) => at),
      tickFormat: (at) => columns[Number(at)] ?? '',
    },
    y: {
      label: 'virtual ms',
      domain: [last, -2],
      ticks: moments.flatMap(({ atMs }, row) => (atMs === moments[row - 1]?.atMs ? [] : [row])),
      tickFormat: (row) => String(moments[Number(row)]?.atMs ?? ''),
    },
    marks: (plot) => [
      plot.text(columns, {
        x: columnOf,
        y: () => -2,
        text: (node: string) => node,
        fill: 'currentColor',
        dy: 4,
        fontSize: 12,
      }),
      plot.ruleX(
        columns.map((_, at) => at),
        { stroke: grey, strokeOpacity: 0.5 },
      ),
      plot.arrow(
        arrows.filter(({ lost }) => !lost),
        { ...ends, stroke: blue, headLength: 6, strokeWidth: 1.5 },
      ),
      plot.arrow(
        arrows.filter(({ lost }) => lost),
        { ...ends, stroke: red, headLength: 0, strokeWidth: 1.5, strokeDasharray: '4 3' },
      ),
      plot.text(
        arrows.filter(({ lost }) => lost),
        { x: 'to', y: 'end', text: () => '✕', fill: red, fontSize: 13 },
      ),
      plot.text(arrows, {
        x: ({ from, to }: Arrow) => (from + to) / 2,
        y: ({ begin, end }: Arrow) => (begin + end) / 2,
        text: 'text',
        fill: 'currentColor',
        dy: -7,
        fontSize: 10,
      }),
      plot.dot(strikes, {
        x: ({ node }: { node: string }) => columnOf(node),
        y: (line: Happening) => rows.get(line)?.begin,
        fill: red,
        r: 5,
      }),
      ...[true, false].map((onLeft) =>
        plot.text(
          strikes.filter((line) => isOnLeft(line) === onLeft),
          {
            x: ({ node }: { node: string }) => columnOf(node),
            y: (line: Happening) => rows.get(line)?.begin,
            text: 'text',
            fill: red,
            dx: onLeft ? -9 : 9,
            textAnchor: onLeft ? 'end' : 'start',
            dy: -2,
            fontWeight: 'bold',
            fontSize: 11,
          },
        ),
      ),
    ],
  })
}
