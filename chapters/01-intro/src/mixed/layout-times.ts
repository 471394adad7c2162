/** The layouts of processes and threads beside one another: which one wins, and a picture of their times. */
import { barPlot, palette } from '@repo/common/output/plots'
import { bytes, milliseconds, percent, table, times } from '@repo/common/output/terminal'
import { lengthsOf, type partsOf } from './layouts.ts'

export interface TimedLayout {
  layout: string
  ms: number
  startMs: number
  memoryBytes: number
}

/** Layouts whose times are as close as this count as equally fast. */
const tie = 1.05

/** The layout that wins: of the fastest ones the one that takes the least memory. `equals` are all of the fastest. */
export function winnerOf<T extends TimedLayout>(layouts: readonly T[]): { winner: T | undefined; equals: T[] } {
  const fastest = Math.min(...layouts.map(({ ms }) => ms))
  const equals = layouts.filter(({ ms }) => ms <= tie * fastest)
  return { winner: equals.toSorted((a, b) => a.memoryBytes - b.memoryBytes)[0], equals }
}

/** One thread's time and each layout's. Returns SVG text. */
export function drawLayouts(layouts: readonly TimedLayout[], aloneMs: number, title: string, subtitle: string): string {
  return barPlot({
    title,
    subtitle,
    x: { label: 'milliseconds' },
    bars: [
      { name: 'one thread alone', value: aloneMs, label: milliseconds(aloneMs), color: palette[5] },
      ...layouts.map(({ layout, ms }) => ({ name: layout, value: ms, label: milliseconds(ms) })),
    ],
  })
}

interface Row extends TimedLayout {
  parts: ReturnType<typeof partsOf>
  speedup: number
  ceiling: number
  efficiency: number
  bits: string
  inOrderOfWorkers: number
}

/** How each layout divides the chunks, what it takes, and its sums, below one thread's. */
export function layoutTable(rows: readonly Row[], aloneMs: number, bits: string): string {
  const work = ['layout', 'chunks per process', 'per thread']
  const cost = ['time', 'speedup', 'ceiling', 'efficiency', 'start', 'memory']
  return table(
    [...work, ...cost, 'sum, bit for bit', 'in the order of the workers'],
    [
      ['alone', '', '', milliseconds(aloneMs), times(1), '', '', '', '', bits, ''],
      ...rows.map((row) => [
        row.layout,
        lengthsOf(row.parts),
        lengthsOf(row.parts.flatMap(({ threads }) => threads)),
        milliseconds(row.ms),
        times(row.speedup),
        times(row.ceiling),
        percent(row.efficiency),
        milliseconds(row.startMs),
        bytes(row.memoryBytes),
        row.bits,
        String(row.inOrderOfWorkers),
      ]),
    ],
  )
}
