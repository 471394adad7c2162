/** A thread of the `mixed` example: writes its chunks' sums into memory that the threads of its process share. */
import { chunkSum, type Part } from './sum.ts'

/** A part of the process's part; `sums[0]` belongs to chunk `first`. */
export interface ThreadPart extends Part {
  sums: Float64Array<SharedArrayBuffer>
  first: number
}

/** Returns the sum of its chunks, added from left to right. */
export default ({ terms, range, sums, first }: ThreadPart): number => {
  let total = 0
  for (let chunk = range.from; chunk < range.to; chunk++) {
    const sum = chunkSum(chunk, terms)
    sums[chunk - first] = sum
    total += sum
  }
  return total
}
