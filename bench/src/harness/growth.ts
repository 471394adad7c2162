/** How the time of a job grows with its size. */
import { type Growth, growthSlope } from '@repo/common/cost'
import { median } from '@repo/common/measure'
import { count, milliseconds, times } from '@repo/common/output/terminal'
import { measured, type Row, type Table } from './suite.ts'
import { ratiosOf, type Turns, takeTurns } from './turns.ts'

interface Sizes extends Omit<Turns, 'metrics' | 'isWarm'> {
  metric: string
  /** In ascending order. */
  sizes: readonly number[]
  /** Only the smallest size gets a warm-up: where each round starts from nothing, that is enough. */
  warmsUpOnce?: boolean
  /** Rounds of all sizes but the largest; 3 by default. */
  smallerRounds?: number
}

const atSize = (metric: string, size: number) => `${metric} at ${size}`
const largest = (metric: string) => `${metric}: largest size`

/**
 * Lets the contenders of these rows take turns, size by size. Samples of the largest size have the metric's own name; only
 * these are compared with other runs.
 *
 * @param prepare makes the input, and returns what a contender does with it: its milliseconds
 */
export async function measureSizes(
  rows: readonly Row[],
  { metric, sizes, rounds, warmsUpOnce = false, smallerRounds = 3, onProgress, ...turns }: Sizes,
  prepare: (size: number) => Promise<(row: Row, signal: AbortSignal) => Promise<number>>,
): Promise<void> {
  for (const [at, size] of sizes.entries()) {
    const isLargest = at === sizes.length - 1
    const name = isLargest ? metric : atSize(metric, size)
    const measure = await prepare(size)
    const participants = rows.map((row) => ({
      row,
      round: async (stop: AbortSignal) => ({ [name]: await measure(row, stop) }),
    }))
    await takeTurns(participants, {
      ...turns,
      metrics: [name],
      rounds: isLargest ? rounds : smallerRounds,
      isWarm: warmsUpOnce && at > 0,
      onProgress: (share) => onProgress?.((at + share) / sizes.length),
    })
    if (isLargest) for (const row of rows) row.figures[largest(metric)] = size
  }
}

/** Returns the median times of a contender by size; those that it was measured at. */
export function growthOf({ samples, figures }: Row, metric: string): Growth[] {
  return Object.entries(samples).flatMap(([name, values]) => {
    const size = name === metric ? figures[largest(metric)] : name.split(atSize(metric, 0).slice(0, -1))[1]
    return size === undefined ? [] : [{ size: Number(size), ms: median(values) }]
  })
}

/** Returns the median of the ratios to the reference at one of the sizes; NaN if it was not measured. */
export function ratioAt(row: Row, metric: string, size: number): number {
  return median(ratiosOf(row, row.figures[largest(metric)] === size ? metric : atSize(metric, size)))
}

/** The slope on logarithmic axes, for a table. */
export const shownSlope = (points: readonly Growth[]) => (points.length < 2 ? '–' : growthSlope(points).toFixed(2))

/**
 * Returns a table of the largest size: the time, its ratio to ours, how much is done in a second, and the slope. None where
 * nothing was measured.
 */
export function growthTables(
  rows: readonly Row[],
  metric: string,
  { title, unit, notes }: { title: (size: number) => string; unit: string; notes: string[] },
): Table[] {
  const shown = measured(rows)
  const [first] = shown
  if (!first) return []
  const size = growthOf(first, metric).at(-1)?.size ?? Number.NaN
  return [
    {
      title: title(size),
      head: ['', 'time', 'to ours', `${unit}/s`, 'slope'],
      rows: shown.map((row) => {
        const ms = median(row.samples[metric] ?? [])
        const ratio = median(ratiosOf(row, metric))
        return [
          row.label,
          Number.isNaN(ms) ? '–' : milliseconds(ms),
          Number.isNaN(ratio) ? '–' : times(ratio),
          Number.isNaN(ms) ? '–' : count(Math.round((1_000 * size) / ms)),
          shownSlope(growthOf(row, metric)),
        ]
      }),
      notes,
    },
  ]
}
