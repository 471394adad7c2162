/** The sum of vectors, for all ranks of a ring. */
import type { Ring } from './check.ts'

/**
 * Returns the sum of the vectors of all ranks. Each rank calls it, with a vector of the same length. The vector is not
 * changed.
 */
export async function allReduce({ rank, size, send, receive }: Ring, vector: readonly number[]): Promise<number[]> {
  const sum = [...vector]
  /** Where a chunk begins and ends, counted round the ring. So the chunks differ by one number at most. */
  function chunk(number: number): [begin: number, end: number] {
    const at = (number + 2 * size) % size
    return [Math.floor((at * sum.length) / size), Math.floor(((at + 1) * sum.length) / size)]
  }
  // Each chunk begins its way at the rank of its number, and every rank on the way adds its own.
  for (let step = 0; step < size - 1; step++) {
    await send(sum.slice(...chunk(rank - step)))
    const [begin] = chunk(rank - step - 1)
    for (const [at, number] of (await receive()).entries()) sum[begin + at] += number
  }
  // Now the chunk after this rank's own is finished here, and goes round.
  for (let step = 0; step < size - 1; step++) {
    await send(sum.slice(...chunk(rank - step + 1)))
    const [begin] = chunk(rank - step)
    for (const [at, number] of (await receive()).entries()) sum[begin + at] = number
  }
  return sum
}
