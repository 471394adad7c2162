// The checker says: The sums are right, but a rank sends too many numbers.
/** Passes every vector on to everybody. */
import type { Ring } from '../check.ts'

export async function allReduce({ size, send, receive }: Ring, vector: readonly number[]): Promise<number[]> {
  const sum = [...vector]
  let passing = [...vector]
  for (let step = 0; step < size - 1; step++) {
    await send(passing)
    passing = await receive()
    for (const [at, number] of passing.entries()) sum[at] += number
  }
  return sum
}
