/**
 * Sorts by digits of the numbers' bits instead of by comparisons. The first pass goes by the first digit, and moves the
 * numbers into buckets that fit into the cache; all further passes stay in there.
 *
 * The order is that of TypedArray.prototype.sort: −0 before 0, NaN last. The sort is stable, which shows only in what
 * that order does not tell apart: NaN keep their order, and their signs and payloads, where TypedArray.sort promises no
 * order among NaN.
 */
import { cutIntoBuckets, digitCount, firstOrder } from './buckets.ts'
import { keysOf } from './keys.ts'
import type { Numbers } from './numbers.ts'

/**
 * Sorts on one thread.
 *
 * @param numbers fewer than 2^31
 * @param scratch as many numbers of the same type; what they were is lost
 */
export function radixSort(numbers: Numbers, scratch: Numbers): void {
  const keys = keysOf(numbers, scratch)
  const whole = { from: 0, to: numbers.length, bits: keys.bits }
  const counts = new Int32Array(digitCount)
  keys.count(whole, keys.bits, counts)
  const bucketOf = new Uint16Array(digitCount)
  const buckets = cutIntoBuckets(counts, whole, firstOrder(numbers), bucketOf)
  // Nothing needs to move if all numbers are in one bucket.
  if (buckets.length === 1) {
    for (const bucket of buckets) keys.sort(bucket)
    return
  }
  const next = Int32Array.from(buckets, ({ from }) => from)
  keys.scatter(whole, keys.bits, bucketOf, next)
  const moved = keysOf(scratch, numbers)
  for (const bucket of buckets) {
    moved.sort(bucket)
    moved.move(bucket)
  }
}
