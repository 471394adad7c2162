/**
 * A sum of floating-point numbers that has the same bits however it is divided among processes and threads.
 *
 * Floating-point addition is not associative: who adds in another order gets other last digits. So the order is fixed
 * here and does not depend on who adds: the terms are cut into a fixed number of chunks, each chunk is added up from left
 * to right by one thread, and the chunks' sums are added in pairs, in the order of the chunks.
 */
import type { Range } from '@repo/common/async/ranges'

/** The same for every layout, and enough of them for every worker to have some. */
export const chunks = 1_024

/**
 * The sum of one chunk's terms of the midpoint rule for ∫ 4 / (1 + x²) over [0, 1], which is π; `terms` points in all.
 */
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

/**
 * Adds the first half and the second half up, each in the same way, and then both. The rounding error grows with the
 * logarithm of the length only (Nicholas Higham, "The accuracy of floating point summation", 1993).
 */
export function pairwiseSum(values: Float64Array): number {
  if (values.length <= 2) return values.reduce((sum, value) => sum + value, 0)
  const half = values.length >>> 1
  return pairwiseSum(values.subarray(0, half)) + pairwiseSum(values.subarray(half))
}

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
  /** One sum for each chunk, in their order. */
  sums: Float64Array
  /** All of them added up as it came: each thread its own from left to right, then the threads. */
  inOrderOfWorkers: number
  /** Of the process with all its threads. */
  memoryBytes: number
}
