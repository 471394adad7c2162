/** The sum of vectors, for all ranks of a ring. */
import type { Ring } from './check.ts'

/**
 * Returns the sum of the vectors of all ranks. Each rank calls it, with a vector of the same length. The vector is not
 * changed.
 */
export async function allReduce(_ring: Ring, vector: readonly number[]): Promise<number[]> {
  // Your code: at each step a rank sends one chunk and receives another. Which ones?
  return [...vector]
}
