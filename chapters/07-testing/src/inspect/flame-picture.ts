/** A flame graph as a picture: a box for each function on the stack, as wide as its share of the time. */
import { draw, palette } from '@repo/common/output/plots'
import type { Flame } from './cpu-profile.ts'

const width = 960
const rowHeight = 18

/** @param hot the function to be marked. Returns SVG text. */
export function flamePicture(boxes: readonly Flame[], hot: string | undefined, subtitle: string): string {
  const deepest = Math.max(...boxes.map(({ depth }) => depth))
  const shapes = boxes.map(({ name, depth, from, to }) => ({
    name,
    x1: 100 * from,
    x2: 100 * to,
    y1: depth,
    y2: depth + 1,
    color: name === hot ? palette[1] : name === '(garbage collector)' ? palette[3] : palette[0],
    // As many letters as fit.
    text: name.slice(0, Math.max(0, Math.floor(((to - from) * (width - 90)) / 7) - 1)),
  }))
  type Shape = (typeof shapes)[number]
  return draw({
    title: 'Where the time goes',
    subtitle,
    width,
    height: 130 + rowHeight * (deepest + 1),
    marginLeft: 24,
    grid: false,
    x: { label: '% of the time in which the process computed' },
    y: { label: '', domain: [0, deepest + 1], ticks: [] },
    marks: (plot) => [
      plot.rect(shapes, {
        x1: 'x1',
        x2: 'x2',
        y1: 'y1',
        y2: 'y2',
        fill: (shape: Shape) => shape.color,
        fillOpacity: 0.55,
        stroke: 'currentColor',
        strokeWidth: 0.4,
      }),
      plot.text(
        shapes.filter(({ text }) => text.length > 2),
        {
          x: 'x1',
          y: (shape: Shape) => shape.y1 + 0.5,
          text: 'text',
          textAnchor: 'start',
          dx: 3,
          fontSize: 10,
        },
      ),
    ],
  })
}
