/** How the time of a job grows with its size. */
import { type Growth, growthSlope } from '@repo/common/cost'
import { median } from '@repo/common/measure'
import type { Row } from './suite.ts'
import { type Turns, takeTurns } from './turns.ts'

interface Sizes extends Omit<Turns, 'metrics'> {
  metric: string
  /** In ascending order. */
  sizes: readonly number[]
}

/** Rounds of all sizes but the largest. */
const fewRounds = 3

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
  { metric, sizes, rounds, onProgress, ...turns }: Sizes,
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
      rounds: isLargest ? rounds : fewRounds,
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

/** The slope on logarithmic axes, for a table. */
export const shownSlope = (points: readonly Growth[]) => (points.length < 2 ? '–' : growthSlope(points).toFixed(2))
