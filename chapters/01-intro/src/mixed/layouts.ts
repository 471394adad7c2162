/** Layouts: a number of processes, with a number of threads each. */

import { divide, type Range } from '@repo/common/async/ranges'
import { coreCount } from '@repo/common/cores'
import { accepting } from '@repo/common/example/options'
import { barPlot, palette } from '@repo/common/output/plots'
import { bytes, milliseconds, percent, table, times } from '@repo/common/output/terminal'
import { chunks } from './sum.ts'

export interface Layout {
  processes: number
  /** In each process. */
  threads: number
}

const mostProcesses = 16
const mostThreads = 16

/** An option: layouts as `2x1,1x2`. */
export const layoutList = accepting(
  `up to 10 different layouts PROCESSESxTHREADS, of at most ${mostProcesses} processes and ${mostThreads} threads in each: 1x1,2x1,1x2`,
  (text) => {
    const layouts = text.split(',').map((part) => {
      const [, processes, threads] = /^\s*(\d+)\s*[x×]\s*(\d+)\s*$/.exec(part) ?? []
      return { processes: Number(processes ?? 0), threads: Number(threads ?? 0) }
    })
    const possible = layouts.every(
      ({ processes, threads }) =>
        processes >= 1 && processes <= mostProcesses && threads >= 1 && threads <= mostThreads,
    )
    const distinct = new Set(layouts.map(layoutName)).size === layouts.length
    return possible && distinct && layouts.length <= 10 ? layouts : undefined
  },
  (layouts) => layouts.map(layoutName).join(),
)

export function layoutName({ processes, threads }: Layout): string {
  return `${processes}×${threads}`
}

/** One worker; as many as cores: as processes, as both and as threads; and twice as many as cores. */
export function layoutsFor(cores = coreCount()): Layout[] {
  const most = Math.min(cores, mostThreads)
  const layouts = [
    { processes: 1, threads: 1 },
    { processes: most, threads: 1 },
    { processes: 2, threads: Math.max(1, most >>> 1) },
    { processes: 1, threads: most },
    { processes: 2, threads: most },
  ]
  return [...new Map(layouts.map((layout) => [layoutName(layout), layout])).values()]
}

/** The chunks of each process, and how its threads divide them. */
export function partsOf({ processes, threads }: Layout): (Range & { threads: Range[] })[] {
  return divide({ from: 0, to: chunks }, processes).map((part) => ({ ...part, threads: divide(part, threads) }))
}

/** Bytes of memory that a layout's processes may take, measured and rounded up: 110 MB each, 25 MB per thread. */
export function memoryFor({ processes, threads }: Layout): number {
  return processes * (110e6 + threads * 25e6)
}

/** A layout and what was measured. */
export interface MeasuredLayout {
  layout: string
  parts: ReturnType<typeof partsOf>
  ms: number
  speedup: number
  ceiling: number
  efficiency: number
  /** Until all processes and threads were ready. */
  startMs: number
  /** Of all processes. */
  memoryBytes: number
  bits: string
  inOrderOfWorkers: number
}

/** Layouts whose times are within this ratio count as equally fast. */
const tie = 1.05

/** Among the fastest layouts, the winner is the one that takes the least memory. `equals` are all of the fastest. */
export function winnerOf<T extends Pick<MeasuredLayout, 'ms' | 'memoryBytes'>>(
  layouts: readonly T[],
): { winner: T | undefined; equals: T[] } {
  const fastest = Math.min(...layouts.map(({ ms }) => ms))
  const equals = layouts.filter(({ ms }) => ms <= tie * fastest)
  return { winner: equals.toSorted((a, b) => a.memoryBytes - b.memoryBytes)[0], equals }
}

/** How each layout divides the chunks, what it costs, and its sums, below a row for one thread `alone`. */
export function layoutTable(rows: readonly MeasuredLayout[], alone: { ms: number; bits: string }): string {
  const work = ['layout', 'chunks per process', 'per thread']
  const cost = ['time', 'speedup', 'ceiling', 'efficiency', 'start', 'memory']
  return table(
    [...work, ...cost, 'sum, bit for bit', 'in the order of the workers'],
    [
      ['alone', '', '', milliseconds(alone.ms), times(1), '', '', '', '', alone.bits, ''],
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

/** The lengths of ranges: `512`, or `341–342` if they differ. */
export function lengthsOf(ranges: readonly Range[]): string {
  const lengths = ranges.map(({ from, to }) => to - from)
  const [least, most] = [Math.min(...lengths), Math.max(...lengths)]
  return least === most ? String(least) : `${least}–${most}`
}

/** The time of one thread alone and of each layout. Returns SVG text. */
export function drawLayouts(rows: readonly MeasuredLayout[], aloneMs: number, title: string, subtitle: string): string {
  return barPlot({
    title,
    subtitle,
    x: { label: 'milliseconds' },
    bars: [
      { name: 'one thread alone', value: aloneMs, label: milliseconds(aloneMs), color: palette[5] },
      ...rows.map(({ layout, ms }) => ({ name: layout, value: ms, label: milliseconds(ms) })),
    ],
  })
}
