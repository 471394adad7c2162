/** A space-time diagram: a line for each process, its events at the times that its own clock gave them, and the messages. */
import { draw, palette } from '@repo/common/output/plots'
import type { ClockEvent } from './clocks.ts'

const [blue, , , , red, grey] = palette
/** More would not be readable. */
const mostEvents = 45

/** SVG text of the first events. */
export function drawSpaceTime(events: readonly ClockEvent[], impossible: ReadonlySet<string>, title: string): string {
  const shown = events.toSorted((a, b) => a.trueMs - b.trueMs).slice(0, mostEvents)
  const begin = Math.min(...shown.map(({ wall }) => wall))
  const at = ({ wall }: ClockEvent) => wall - begin
  const arrows = shown.flatMap((sending) => {
    const receipt = shown.find(({ what, message }) => what === 'receive' && message === sending.message)
    if (sending.what !== 'send' || !receipt) return []
    const lies = impossible.has(sending.message ?? '')
    return [{ x1: at(sending), x2: at(receipt), y1: sending.process, y2: receipt.process, lies }]
  })
  const processes = [...new Set(shown.map(({ process }) => process))].sort((a, b) => a - b)
  const ends = { x1: 'x1', x2: 'x2', y1: 'y1', y2: 'y2', headLength: 6, strokeWidth: 1.5 }
  return draw({
    title,
    subtitle:
      'Each event at the time of its own process. Small numbers: Lamport. A message that goes to the left arrives before it was sent.',
    width: 900,
    height: 130 + 70 * processes.length,
    marginLeft: 84,
    grid: false,
    x: { label: "ms by the process's own wall clock" },
    y: {
      label: '',
      domain: [(processes.at(-1) ?? 0) + 0.4, -0.4],
      ticks: processes,
      tickFormat: (process) => (process === 0 ? 'process 0' : `process ${process}`),
    },
    legend: [
      { name: 'a message', color: blue },
      { name: 'received before it was sent, by the wall clocks', color: red },
    ],
    marks: (plot) => [
      plot.ruleY(processes, { stroke: grey, strokeOpacity: 0.6 }),
      plot.arrow(
        arrows.filter(({ lies }) => !lies),
        { ...ends, stroke: blue },
      ),
      plot.arrow(
        arrows.filter(({ lies }) => lies),
        { ...ends, stroke: red },
      ),
      plot.dot(shown, { x: at, y: 'process', fill: grey, r: 3 }),
      plot.text(shown, { x: at, y: 'process', text: 'lamport', fill: 'currentColor', dy: -9, fontSize: 9 }),
    ],
  })
}
