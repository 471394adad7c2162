/** Cuts numbers into buckets by how often each first digit occurs. */
import type { Range } from '@repo/common/async/ranges'
import { nanDigit } from './digits.ts'
import type { Bucket } from './keys.ts'
import { isFloat, type Numbers } from './numbers.ts'

/** The number of digits of 16 bits. */
export const digitCount = 1 << 16

/** A bucket of this many numbers is sorted inside the second cache, with its spare memory. */
export const cachedNumbers = 1 << 15

/** How the bits of a digit follow from its rank, its place in the order of numbers: by `rank ^ low` or `rank ^ high`. */
export interface Order {
  /** For ranks of the lower half. */
  low: number
  high: number
  /** Whether the last digit, `nanDigit`, is that of NaN. */
  hasNaN: boolean
}

/** The order of the first digits. Below them, it is that of the bucket: `orderBelow`. */
export function firstOrder(numbers: Numbers): Order {
  if (isFloat(numbers)) return { low: 0xffff, high: 0x8000, hasNaN: true }
  const sign = numbers instanceof Int32Array ? 0x8000 : 0
  return { low: sign, high: sign, hasNaN: false }
}

export function orderBelow({ flip }: Bucket): Order {
  return { low: flip & 0xffff, high: flip & 0xffff, hasNaN: false }
}

/**
 * Cuts numbers into buckets, in order: the digits are halved, and halved again, until at most `cachedNumbers` numbers or
 * a single digit are left. So a bucket is a prefix of the bits, and the longer, the more numbers begin with it. Empty
 * buckets are left out.
 *
 * NaN are a bucket of their own, after all others, and need no more sorting: they keep their order and their payloads.
 *
 * @param counts how often each digit occurs
 * @param range the positions of the numbers, and the bits in which they may differ
 * @param bucketOf gets the index of the bucket of each digit that occurs
 */
export function cutIntoBuckets(
  counts: Int32Array,
  { from, to, bits }: Range & { bits: number },
  order: Order,
  bucketOf: Uint16Array,
): Bucket[] {
  const changed = (rank: number) => (rank < digitCount / 2 ? order.low : order.high)
  const digitOf = (rank: number) => rank ^ changed(rank)
  const ranks = order.hasNaN ? digitCount - 1 : digitCount
  const starts = new Int32Array(digitCount + 1).fill(to)
  starts[0] = from
  for (let rank = 0; rank < ranks; rank++) {
    starts[rank + 1] = (starts[rank] as number) + (counts[digitOf(rank)] as number)
  }
  const nanFrom = starts[ranks] as number
  starts[digitCount] = nanFrom

  const buckets: Bucket[] = []
  const cut = (rank: number, size: number) => {
    const bucket = { from: starts[rank] as number, to: starts[rank + size] as number }
    if (bucket.from === bucket.to) return
    // Even a few numbers are told apart by their sign.
    if (size === digitCount || (size > 1 && bucket.to - bucket.from > cachedNumbers)) {
      cut(rank, size / 2)
      cut(rank + size / 2, size / 2)
      return
    }
    for (let at = rank; at < rank + size; at++) bucketOf[digitOf(at)] = buckets.length
    buckets.push({ ...bucket, bits: bits - 16 + Math.log2(size), flip: changed(rank) === 0xffff ? -1 : 0 })
  }
  cut(0, digitCount)
  if (nanFrom < to) {
    bucketOf[nanDigit] = buckets.length
    buckets.push({ from: nanFrom, to, bits: 0, flip: 0 })
  }
  return buckets
}
