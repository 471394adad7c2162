/** The time line of a run: who was up, who was cut off, what struck, which orders ended, and which were broken. */
import { draw, Plot, palette } from '@repo/common/output/plots'
import type { ChaosReport } from './chaos.ts'
import type { FaultKind } from './faults.ts'

const [up, slow, work, silent, broken, grey] = palette
/** How many stretches of time the orders are counted in. */
const stretches = 120
const signs: Record<FaultKind, string> = {
  kill: '✕',
  restart: '✕',
  cut: '✂',
  delay: '',
  'half-open': '',
  clock: '◷',
}

/** SVG text. */
export function drawChaos({ spans, faults, endedMs, brokenMs, violations, ms }: ChaosReport, title: string): string {
  const lanes = [...new Set(spans.map(({ who }) => who))].sort()
  const ended = new Array<number>(stretches).fill(0)
  for (const at of endedMs.values()) {
    const stretch = Math.min(stretches - 1, Math.max(0, Math.floor((at / ms) * stretches)))
    ended[stretch] = (ended[stretch] ?? 0) + 1
  }
  const most = Math.max(...ended)
  const seconds = (stretch: number) => (stretch / stretches) * (ms / 1000)
  const strip = ended.map((count, at) => ({ from: seconds(at), to: seconds(at + 1), share: count / most }))
  const times = { x1: ({ from }: { from: number }) => from / 1000, x2: ({ to }: { to: number }) => to / 1000 }
  const those = (what: string) => spans.filter((span) => span.what === what)
  const named = Map.groupBy(violations, ({ invariant }) => invariant)
  const verdict = [...named].map(([name, { length }]) => `${name}: ${length}`).join(', ')
  return draw({
    title,
    subtitle: `Gaps: dead. ✕ killed, ✂ connections reset, ◷ clock set wrong. ${verdict ? `Broken: ${verdict}.` : 'No invariant was broken.'}`,
    x: { label: 'seconds' },
    y: { label: '', type: 'band', domain: [...lanes, 'orders ended'] },
    height: 170 + 34 * (lanes.length + 1),
    marginLeft: 96,
    grid: false,
    legend: [
      { name: 'up', color: up },
      { name: 'line slow', color: slow },
      { name: 'line silent', color: silent },
      { name: 'orders ended', color: work },
      { name: 'an order that was broken', color: broken, style: 'dots' },
    ],
    marks: [
      Plot.barX(those('up'), { ...times, y: 'who', fill: up, fillOpacity: 0.45 }),
      Plot.barX(those('slow'), { ...times, y: 'who', fill: slow, inset: 4 }),
      Plot.barX(those('silent'), { ...times, y: 'who', fill: silent, inset: 4 }),
      Plot.barX(strip, { x1: 'from', x2: 'to', y: () => 'orders ended', fill: work, fillOpacity: 'share', inset: 0 }),
      Plot.text(faults, {
        x: ({ atMs }: { atMs: number }) => atMs / 1000,
        y: 'target',
        text: ({ kind }: { kind: FaultKind }) => signs[kind],
        fill: broken,
        stroke: 'white',
        strokeWidth: 3,
        fontSize: 17,
        fontWeight: 'bold',
      }),
      Plot.dot(brokenMs, { x: (at: number) => at / 1000, y: () => 'orders ended', fill: broken, r: 3 }),
      Plot.ruleX([0], { stroke: grey }),
    ],
  })
}
