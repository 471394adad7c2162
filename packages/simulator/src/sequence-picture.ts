/** A history as a message diagram: a line for each node, an arrow for each message, with time running downwards. */
import { draw, palette } from '@repo/common/output/plots'
import { type Arrow, layOut } from './sequence.ts'
import type { Happening } from './simulator.ts'

const [blue, , , , red, grey] = palette
const rowHeight = 13

/**
 * Draws a history. Each sending and each arrival has its own row: rows are in time order, but not to scale.
 *
 * @param columns the nodes, from left to right; those that do not take part are left out
 * @returns SVG text
 */
export function drawSequence(
  history: readonly Happening[],
  { columns: nodes, title, subtitle }: { columns: readonly string[]; title: string; subtitle: string },
): string {
  const columns = nodes.filter((node) =>
    history.some((line) => (line.kind === 'node' ? line.node === node : line.from === node || line.to === node)),
  )
  const { moments, arrows, marks } = layOut(history, columns)
  const last = moments.length
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
        x: (node: string) => columns.indexOf(node),
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
      plot.dot(marks, { x: 'column', y: 'row', fill: red, r: 5 }),
      ...[true, false].map((onLeft) =>
        plot.text(
          marks.filter(({ isOnLeft }) => isOnLeft === onLeft),
          {
            x: 'column',
            y: 'row',
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
