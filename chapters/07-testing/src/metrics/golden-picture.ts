/** Four panels, one below the other, with what happened marked in each. */
import { linePlot } from '@repo/common/output/plots'
import type { Drawn } from './golden-signals.ts'

const titles = {
  latency: 'Latency, s',
  traffic: 'Traffic, per s',
  errors: 'Errors, per s',
  saturation: 'Saturation',
} as const
const height = 230
const width = 760

/** @param events what happened when, in ms as in the curves. Returns SVG text. */
export function goldenPicture(
  curves: readonly Drawn[],
  events: { ms: number; name: string }[],
  subtitle: string,
): string {
  const startMs = Math.min(...curves.flatMap(({ points }) => points.map(({ ms }) => ms)))
  const endMs = Math.max(...curves.flatMap(({ points }) => points.map(({ ms }) => ms)))
  const panels = Object.entries(titles).map(([panel, title]) => {
    const own = curves.filter((curve) => curve.panel === panel)
    const top = Math.max(1e-3, ...own.flatMap(({ points }) => points.map(({ value }) => value)))
    return linePlot({
      title,
      width,
      height,
      ...(panel === 'latency' && { subtitle }),
      x: { label: panel === 'saturation' ? 'seconds' : '', domain: [0, (endMs - startMs) / 1000] },
      y: { label: '', domain: [0, top], ticks: 4 },
      series: [
        ...own.map(({ name, points }) => ({
          name,
          points: points.map(({ ms, value }) => ({ x: (ms - startMs) / 1000, y: value })),
        })),
        ...events.map(({ ms, name }) => ({
          name,
          style: 'dashed' as const,
          color: '#868e96',
          points: [0, top].map((y) => ({ x: (ms - startMs) / 1000, y })),
        })),
      ],
    })
  })
  const placed = panels.map((svg, at) => svg.replace('<svg ', `<svg y="${at * height}" `))
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height * panels.length}" viewBox="0 0 ${width} ${height * panels.length}">${placed.join('')}</svg>\n`
}
