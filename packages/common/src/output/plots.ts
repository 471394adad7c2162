/**
 * Pictures as SVG text, drawn by Observable Plot in one theme. A picture brings its own background and follows the
 * viewer's colour scheme, so that it is readable on light and on dark pages.
 *
 * `draw` takes any of Plot's marks, for pictures that are not of the three common kinds.
 */
import { createRequire } from 'node:module'
import type * as ObservablePlot from '@observablehq/plot'
import { largest } from '../extremes.ts'

export type Plot = typeof ObservablePlot
export type Markish = ObservablePlot.Markish

// Loading these takes longer than loading the rest of an example. So they are loaded only when something is drawn.
const require = createRequire(import.meta.url)
const loadPlot = () => require('@observablehq/plot') as Plot
const loadDom = () => require('linkedom') as typeof import('linkedom')
const loadPng = () => require('fast-png') as typeof import('fast-png')

/** Colours in order of use. They differ enough on white, on black and for colour-blind readers. */
export const palette = ['#3b82f6', '#e8590c', '#0ca678', '#ae3ec9', '#e03131', '#868e96'] as const

export interface Axis {
  label: string
  type?: 'linear' | 'log' | 'band' | 'point'
  domain?: (number | string)[]
  ticks?: number | (number | string)[]
  tickFormat?: string | ((value: number | string) => string)
}

export interface Frame {
  title: string
  /** A smaller line below the title, which says what was measured where. */
  subtitle?: string
  x: Axis
  y: Axis
  /** In pixels. */
  width?: number
  height?: number
  marginLeft?: number
}

export interface Series {
  name: string
  points: { x: number; y: number }[]
  /** A line by default. */
  style?: 'line' | 'dots' | 'dashed'
  color?: string
}

/** A line with more points than this has no dots on it. */
const mostDots = 40

/** Draws a line for each series, with a legend. Returns SVG text. */
export function linePlot(frame: Frame & { series: Series[] }): string {
  const colored = frame.series.map((series, at) => ({ color: palette[at % palette.length] ?? 'gray', ...series }))
  const marks = (plot: Plot) =>
    colored.flatMap(({ points, style = 'line', color }) => [
      ...(style === 'dots'
        ? []
        : [
            plot.line(points, {
              x: 'x',
              y: 'y',
              stroke: color,
              strokeWidth: 2,
              strokeDasharray: style === 'dashed' ? '5 4' : undefined,
            }),
          ]),
      ...(style === 'dashed' || (style === 'line' && points.length > mostDots)
        ? []
        : [plot.dot(points, { x: 'x', y: 'y', fill: color, r: style === 'dots' ? 4 : 2.5 })]),
    ])
  return draw({ ...frame, marks, legend: colored })
}

/** Draws a bar for each value, labelled with it. Bars are horizontal, so that names are readable. Returns SVG text. */
export function barPlot(
  frame: Omit<Frame, 'y'> & { bars: { name: string; value: number; label?: string; color?: string }[] },
): string {
  const { bars } = frame
  const longest = largest(bars.map(({ name }) => name.length))
  return draw({
    height: 110 + 28 * bars.length,
    marginLeft: 24 + 7 * longest,
    ...frame,
    y: { label: '', type: 'band', domain: bars.map(({ name }) => name) },
    marks: (plot) => [
      plot.barX(bars, { x: 'value', y: 'name', fill: (bar: (typeof bars)[number]) => bar.color ?? palette[0] }),
      plot.text(bars, {
        x: 'value',
        y: 'name',
        text: (bar: (typeof bars)[number]) => bar.label ?? String(bar.value),
        textAnchor: 'start',
        dx: 4,
        fill: 'currentColor',
      }),
    ],
    marginRight: 90,
  })
}

export interface HeatMap extends Frame {
  /** rows × columns, row by row from the top. */
  values: ArrayLike<number>
  columns: number
  /** This value and larger ones have the darkest colour. */
  max: number
}

/** Draws a matrix, light for 0 and dark for `max`, with axes that count columns and rows. Returns SVG text. */
export function heatMap({ values, columns, max, ...frame }: HeatMap): string {
  const rows = values.length / columns
  const data = new Uint8Array(values.length * 3)
  for (let at = 0; at < values.length; at++) data.set(heat((values[at] ?? 0) / max), at * 3)
  const png = Buffer.from(loadPng().encode({ width: columns, height: rows, data, channels: 3 })).toString('base64')
  const { width = 640, height = 640 } = frame
  return draw({
    ...frame,
    width,
    height,
    x: { ...frame.x, domain: [0, columns] },
    y: { ...frame.y, domain: [rows, 0] },
    grid: false,
    marks: () => [],
    // One PNG image instead of rows × columns rectangles: a tenth of the size, and fast to draw.
    backdrop: (left, top, right, bottom) =>
      `<image href="data:image/png;base64,${png}" x="${left}" y="${top}" width="${right - left}" height="${bottom - top}" preserveAspectRatio="none" style="image-rendering: pixelated"/>`,
  })
}

/** Returns red, green and blue for a share from 0 to 1: from nearly white through orange to nearly black. */
function heat(share: number): [number, number, number] {
  const stops = [
    [250, 247, 240],
    [253, 190, 110],
    [225, 85, 40],
    [120, 20, 60],
    [25, 8, 40],
  ] as const
  const at = Math.min(1, Math.max(0, share)) * (stops.length - 1)
  const low = stops[Math.floor(at)] ?? stops[0]
  const high = stops[Math.ceil(at)] ?? low
  const mix = (channel: 0 | 1 | 2) => Math.round(low[channel] + (high[channel] - low[channel]) * (at - Math.floor(at)))
  return [mix(0), mix(1), mix(2)]
}

/** An entry in a legend. */
export interface Legend {
  name: string
  color: string
  style?: Series['style']
  /** A character instead of the line. */
  sign?: string
}

export interface Drawing extends Frame {
  /** Gets Observable Plot and returns its marks. */
  marks: (plot: Plot) => Markish[]
  legend?: Legend[]
  /** Lines at the ticks of both axes (the default), of the x axis only, or none. */
  grid?: boolean | 'x'
  marginRight?: number
  /** The plot's own height in pixels, instead of `height`, which includes title, legend and axis. */
  innerHeight?: number
  /** Returns SVG text to put behind the marks. Gets the plot's own box in pixels. */
  backdrop?: (left: number, top: number, right: number, bottom: number) => string
}

/** Draws any marks of Observable Plot in the project's theme, with title and legend. Returns SVG text. */
export function draw(drawing: Drawing): string {
  const { title, subtitle, legend = [], marks, backdrop, x, y, width = 760, innerHeight } = drawing
  const { grid = true, marginLeft = 64, marginRight = 24 } = drawing
  const legendLines = wrapLegend(legend, width)
  const marginTop = 34 + (subtitle ? 18 : 0) + 22 * legendLines.length + 14
  const marginBottom = 46
  const height = innerHeight === undefined ? (drawing.height ?? 440) : marginTop + innerHeight + marginBottom
  const { document } = loadDom().parseHTML('<!doctype html><html><body></body></html>')
  const axis = ({ label, ticks, tickFormat, ...scale }: Axis, grid: boolean) => ({
    ...scale,
    label: label || null,
    labelAnchor: 'center' as const,
    labelArrow: 'none' as const,
    ticks,
    tickFormat,
    grid,
  })
  const plot = loadPlot()
  const svg = plot.plot({
    document: document as never,
    width,
    height,
    marginTop,
    marginLeft,
    marginRight,
    marginBottom,
    style: { fontFamily: 'system-ui, sans-serif', fontSize: '12px' },
    x: axis(x, grid !== false) as ObservablePlot.ScaleOptions,
    y: axis(y, grid === true) as ObservablePlot.ScaleOptions,
    marks: marks(plot),
  })
  const text = (left: number, top: number, content: string, attributes = '') =>
    `<text x="${left}" y="${top}" fill="currentColor" text-anchor="start" ${attributes}>${escapeXml(content)}</text>`

  const heading = [text(16, 26, title, 'font-size="15" font-weight="600"')]
  if (subtitle) heading.push(text(16, 46, subtitle, 'opacity="0.75"'))
  for (const [line, entries] of legendLines.entries()) {
    const top = (subtitle ? 66 : 48) + 22 * line
    for (const { left, name, color, style = 'line', sign } of entries) {
      heading.push(
        sign
          ? `<text x="${left + 9}" y="${top}" fill="${color}" text-anchor="middle" font-size="15" font-weight="bold">${escapeXml(sign)}</text>`
          : style === 'dots'
            ? `<circle cx="${left + 9}" cy="${top - 4}" r="4" fill="${color}"/>`
            : `<path d="M${left} ${top - 4}h18" stroke="${color}" stroke-width="3" ${style === 'dashed' ? 'stroke-dasharray="5 3"' : ''}/>`,
        text(left + 24, top, name),
      )
    }
  }
  const theme = `<style>
    svg { color: #1f2328; background: #ffffff } .page { fill: #ffffff }
    @media (prefers-color-scheme: dark) { svg { color: #e6edf3; background: #161b22 } .page { fill: #161b22 } }
  </style><rect class="page" width="100%" height="100%"/>`
  const behind = backdrop?.(marginLeft, marginTop, width - marginRight, height - marginBottom) ?? ''
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-label', escapeXml(title))
  return `${svg.outerHTML.replace(/>/, () => `>${theme}${behind}${heading.join('')}`)}\n`
}

/** Returns the entries in lines that fit into the picture, each entry with its place in pixels. */
function wrapLegend(legend: readonly Legend[], width: number) {
  const lines: (Legend & { left: number })[][] = []
  let left = width
  for (const entry of legend) {
    const entryWidth = 24 + 7.2 * entry.name.length
    if (left + entryWidth > width) {
      lines.push([])
      left = 16
    }
    lines.at(-1)?.push({ ...entry, left })
    left += entryWidth + 18
  }
  return lines
}

function escapeXml(text: string): string {
  const entities: Record<string, string> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;' }
  return text.replaceAll(/[<>&"]/g, (character) => entities[character] ?? character)
}
