/** The time line of a drill: who was up, who was cut off, what struck, and how many jobs were done meanwhile. */
import { draw, Plot, palette } from '@repo/common/output/plots'
import type { DrillReport } from './drill.ts'

const [up, cutOff, work, , strike] = palette
/** How many stretches of time the jobs are counted in. */
const stretches = 150

/** SVG text. */
export function drawDrill({ spans, faults, doneMs, ms }: DrillReport, title: string): string {
  const lanes = [...new Set(spans.map(({ who }) => who))].sort()
  const done = new Array<number>(stretches).fill(0)
  for (const at of doneMs) {
    const stretch = Math.min(stretches - 1, Math.floor((at / ms) * stretches))
    done[stretch] = (done[stretch] ?? 0) + 1
  }
  const most = Math.max(...done)
  const inSeconds = (stretch: number) => (stretch / stretches) * (ms / 1000)
  const strip = done.map((count, at) => ({ from: inSeconds(at), to: inSeconds(at + 1), share: count / most }))
  const spansThat = (state: string) => spans.filter((span) => span.state === state)
  const times = { x1: (span: { from: number }) => span.from / 1000, x2: (span: { to: number }) => span.to / 1000 }
  return draw({
    title,
    subtitle: `Gaps in a row: dead. The last row: darker where more jobs were done, at most ${most} in ${(ms / stretches).toFixed(0)} ms.`,
    x: { label: 'seconds' },
    y: { label: '', type: 'band', domain: [...lanes, 'jobs done'] },
    height: 170 + 34 * (lanes.length + 1),
    marginLeft: 84,
    grid: false,
    legend: [
      { name: 'up', color: up },
      { name: 'cut off', color: cutOff },
      { name: 'jobs done', color: work },
      { name: 'a fault', color: strike, style: 'dots' },
    ],
    marks: [
      Plot.barX(spansThat('up'), { ...times, y: 'who', fill: up, fillOpacity: 0.55 }),
      Plot.barX(spansThat('cut off'), { ...times, y: 'who', fill: cutOff }),
      Plot.barX(strip, { x1: 'from', x2: 'to', y: () => 'jobs done', fill: work, fillOpacity: 'share', inset: 0 }),
      Plot.dot(faults, { x: ({ atMs }: { atMs: number }) => atMs / 1000, y: 'target', fill: strike, r: 4 }),
    ],
  })
}
