/**
 * A sum of floating-point numbers that has the same bits however it is divided among processes and threads.
 *
 * Floating-point addition is not associative: another order gives different last digits. So the order is fixed
 * here and does not depend on the workers: the terms are cut into a fixed number of chunks, one thread adds up each
 * chunk from left to right, and the chunks' sums are added in pairs, in the order of the chunks.
 */
import type { Range } from '@repo/common/async/ranges'

/** The same for every layout, and enough for every worker to have some. */
export const chunks = 1_024

/** One chunk of the midpoint rule for ∫ 4 / (1 + x²) over [0, 1], which is π; `terms` points in all. */
// #region chunk-sum
export function chunkSum(chunk: number, terms: number): number {
  const boundary = (at: number) => Math.floor((terms * at) / chunks)
  const width = 1 / terms
  let sum = 0
  for (let i = boundary(chunk), end = boundary(chunk + 1); i < end; i++) {
    const x = (i + 0.5) * width
    sum += 4 / (1 + x * x)
  }
  return sum * width
}
// #endregion chunk-sum

// #region pairwise
/**
 * Adds up the first half and the second half, each in the same way, and then both. The bound of the rounding error grows
 * only with the logarithm of the length (Nicholas Higham, "The accuracy of floating point summation", 1993).
 */
export function pairwiseSum(values: Float64Array): number {
  if (values.length <= 2) return values.reduce((sum, value) => sum + value, 0)
  const half = values.length >>> 1
  return pairwiseSum(values.subarray(0, half)) + pairwiseSum(values.subarray(half))
}
// #endregion pairwise

/** The 64 bits of a number, as 16 hexadecimal digits. */
export function bitsOf(value: number): string {
  return new BigUint64Array(Float64Array.of(value).buffer)[0]?.toString(16).padStart(16, '0') ?? ''
}

/** What a process is asked for. */
export interface Part {
  terms: number
  /** The chunks it adds up. */
  range: Range
}

/** What it answers. */
export interface PartSum {
  /** The sum of each chunk, in the order of the chunks. */
  sums: Float64Array
  /** Their sum in another order: each thread added up its own chunks, then the threads' sums were added. */
  inOrderOfWorkers: number
  /** Of the process with all its threads. */
  memoryBytes: number
}
