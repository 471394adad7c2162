/** Speedups measured on a real machine, compared with the laws. */
import { linePlot } from '@repo/common/output/plots'
import { milliseconds, percent, table, times } from '@repo/common/output/terminal'
import { amdahl, karpFlatt, type Usl, usl, uslPeak } from '../laws/laws.ts'
import type { Point } from './fits.ts'

/** 1, 2, 3, … up to twice `workers`, at least up to 3; above 4 only some of them, always including `workers`. */
export function threadCounts(workers: number): number[] {
  const most = Math.max(3, 2 * workers)
  const counts = new Set([workers, most])
  for (let next = 1; next < most; next += Math.max(1, 2 ** (Math.floor(Math.log2(next)) - 1))) counts.add(next)
  return [...counts].sort((a, b) => a - b)
}

export interface Measured {
  /** Worker threads. */
  workers: number
  speedup: number
  /** The speedup of independent work on as many threads: the number of processors that the machine really gave. */
  ceiling: number
}

/**
 * What the times of a job on different numbers of threads amount to; the first number must be 1.
 *
 * @param timed `ceilingMs` is the time of independent work, as long as the job and divided among as many threads
 */
export function scalingOf(timed: readonly { workers: number; ms: number; ceilingMs: number }[]) {
  const [one] = timed
  return timed.map(({ workers, ms, ceilingMs }) => {
    const speedup = (one?.ms ?? Number.NaN) / ms
    const ceiling = (one?.ceilingMs ?? Number.NaN) / ceilingMs
    return {
      workers,
      ms,
      speedup,
      ceiling,
      efficiency: speedup / ceiling,
      perThread: speedup / workers,
      karpFlatt: workers === 1 ? null : karpFlatt(speedup, workers),
    }
  })
}

/**
 * Whether no figure of the run says much. The machine gave much less than its cores, because other programs were busy or
 * something keeps this one from using them; or the work was much faster than independent work on as many threads, so the
 * two did not meet the same machine.
 */
export function wasBusy(rows: readonly Measured[], cores: number): boolean {
  return rows.some(
    ({ workers, speedup, ceiling }) => ceiling < 0.75 * Math.min(workers, cores) || speedup > 1.25 * ceiling,
  )
}

/** Tells a reader about it. */
export const busyNotice =
  'The machine was busy: its ceiling is far below its cores, or below the speedup. Do not believe these figures; try again when it is not.'

/** A ceiling below this is one processor, measured with noise. */
const secondProcessor = 1.2

/** The points of the rows that had more than one processor, with the ceiling as the number of processors. */
export function onProcessors(rows: readonly Measured[]): Point[] {
  const parallel = rows.filter(({ workers, ceiling }) => workers > 1 && ceiling >= secondProcessor)
  return parallel.map(({ ceiling, speedup }) => ({ processors: ceiling, speedup }))
}

/** The points of all rows as if every thread had a processor of its own. */
export function onThreads(rows: readonly Measured[]): Point[] {
  return rows.map(({ workers, speedup }) => ({ processors: workers, speedup }))
}

export interface Fits {
  /** Amdahl's serial fraction on processors; undefined if the machine gave no second one. */
  serialFraction: number | undefined
  /** The same on threads: misled by the missing cores, because a thread that shares its core is not a processor. */
  serialFractionOnThreads: number
  /** On threads; the law has no notion of cores and takes missing ones for contention and coherency. */
  usl: Usl
}

interface Scaling {
  /** The serial fraction that was set. */
  trueFraction: number
  rows: readonly Measured[]
  fits: Fits
}

/** The measured speedups with both fitted laws, the machine's ceiling and the ideal line. Returns SVG text. */
export function drawScaling({ trueFraction, rows, fits }: Scaling, subtitle: string): string {
  const threads = rows.map(({ workers }) => workers)
  const most = Math.max(...threads)
  // The ideal line leaves the picture where it is far above all that was measured.
  const top = Math.min(most, 1.4 * Math.max(...rows.map(({ speedup, ceiling }) => Math.max(speedup, ceiling))))
  const smooth = (y: (threads: number) => number) =>
    Array.from({ length: 101 }, (_, step) => 1 + ((most - 1) * step) / 100).map((x) => ({ x, y: y(x) }))
  const { serialFraction } = fits
  const fitted = serialFraction !== undefined && {
    name: `Amdahl, serial part ${percentage(serialFraction)}`,
    points: rows.map(({ workers, ceiling }) => ({ x: workers, y: amdahl(1 - serialFraction, ceiling) })),
  }
  return linePlot({
    title: `Speedup of a job whose serial part is ${percentage(trueFraction)}`,
    subtitle,
    x: { label: 'worker threads', ticks: threads, tickFormat: String },
    y: { label: 'speedup', domain: [0, top] },
    series: [
      { name: 'measured', points: rows.map(({ workers, speedup }) => ({ x: workers, y: speedup })), style: 'dots' },
      ...(fitted ? [fitted] : []),
      { name: 'USL', points: smooth((threads) => usl(fits.usl, threads)) },
      { name: 'ceiling', points: rows.map(({ workers, ceiling }) => ({ x: workers, y: ceiling })), style: 'dashed' },
      { name: 'ideal', points: smooth((threads) => threads).filter(({ y }) => y <= top), style: 'dashed' },
    ],
  })
}

/** The rows as a table for the reader. */
export function scalingTable(rows: ReturnType<typeof scalingOf>): string {
  return table(
    ['threads', 'time', 'speedup', 'per thread', 'ceiling', 'efficiency', 'Karp–Flatt'],
    rows.map((row) => [
      row.workers,
      milliseconds(row.ms),
      times(row.speedup),
      percent(row.perThread),
      times(row.ceiling),
      percent(row.efficiency),
      row.karpFlatt === null ? '' : percentage(row.karpFlatt),
    ]),
  )
}

/** The fits in words, and how far they are from the serial fraction that was set. */
export function inWords({ serialFraction, serialFractionOnThreads, usl }: Fits, trueFraction: number): string[] {
  const found = (fraction: number) => `${percentage(fraction)}, ${points(fraction - trueFraction)} off`
  return [
    `The true serial fraction is ${percentage(trueFraction)}.`,
    serialFraction === undefined
      ? 'Amdahl cannot be fitted: this machine gave no second processor.'
      : `Amdahl, with the ceiling as the number of processors: ${found(serialFraction)}.`,
    `Amdahl, with every thread as a processor:              ${found(serialFractionOnThreads)}: it takes missing cores for serial work.`,
    `USL, on the threads: contention ${percentage(usl.contention)}, coherency ${percentage(usl.coherency)}, highest ${peakText(uslPeak(usl))}.`,
  ]
}

/** With one decimal. */
export function percentage(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

function points(share: number): string {
  return `${share < 0 ? '−' : '+'}${Math.abs(100 * share).toFixed(1)} points`
}

function peakText(peak: number): string {
  return Number.isFinite(peak) ? `at ${peak.toFixed(1)} threads` : 'never: it only flattens'
}
