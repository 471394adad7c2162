/**
 * Sorts by digits of the numbers' bits instead of by comparisons. The first pass goes by the first digit, and moves the
 * numbers into buckets that fit into the cache; all further passes stay in there.
 *
 * The order is that of TypedArray.prototype.sort: −0 before 0, NaN last. The sort is stable, which shows only in what
 * that order does not tell apart: NaN keep their order, and their signs and payloads, where TypedArray.sort promises no
 * order among NaN.
 */
import { cutIntoBuckets, firstDigits } from './buckets.ts'
import { keysOf, lookAt, toBits } from './keys.ts'
import type { Numbers } from './numbers.ts'

/**
 * Sorts on one thread.
 *
 * @param numbers fewer than 2^31
 * @param scratch as many numbers of the same type; what they were is lost
 */
export function radixSort(numbers: Numbers, scratch: Numbers): void {
  const whole = { from: 0, to: numbers.length }
  const differing = new Int32Array(2)
  lookAt(numbers, whole, whole.from, differing)
  const bits = toBits(differing)
  if (bits.bits === 0) return
  const digits = firstDigits(numbers, whole, bits)
  const counts = new Int32Array((1 << digits.width) + 1)
  const keys = keysOf(numbers, scratch)
  keys.count(whole, digits, counts)
  const buckets = cutIntoBuckets(counts, whole, bits.lowest, digits)
  // Nothing needs to move if all numbers are in one bucket.
  if (buckets.length === 1) {
    for (const bucket of buckets) keys.sort(bucket)
    return
  }
  keys.scatter(whole, digits, counts)
  const moved = keysOf(scratch, numbers)
  for (const bucket of buckets) {
    moved.sort(bucket)
    moved.move(bucket)
  }
}
