/**
 * Numbers as keys that a radix sort can take: bits whose digits, from the top, decide their order.
 *
 * Only the uppermost digit needs care. Whole numbers: negative ones come first, although their uppermost bit is set.
 * Floats: also, among negative ones, larger bits mean a smaller number. Below the first digit, all numbers of a bucket
 * have the same sign, so that their bits are used as they are, or all flipped.
 */
import type { Range } from '@repo/common/async/ranges'
import { countDigits as count32, scatterDigits as scatter32, sortBits as sort32 } from './digits-32.ts'
import { countDigits as count64, scatterDigits as scatter64, sortBits as sort64 } from './digits-64.ts'
import { isFloat, type Numbers } from './numbers.ts'

/** Numbers at positions [from, to) that may differ in their lowest `bits` bits only; 0 if they are in order. */
export interface Bucket extends Range {
  bits: number
  /** −1 if larger bits mean a smaller number, otherwise 0. */
  flip: number
}

/** What is in memory, and where it is moved. */
export interface Keys {
  /** The number of bits of a key. */
  bits: number
  /** Counts the 16-bit digits at the top of `bits` bits. */
  count(range: Range, bits: number, counts: Int32Array): void
  /** Moves numbers to the buckets of their digits in the other memory, in order; `next` has the next place of each. */
  scatter(range: Range, bits: number, bucketOf: Uint16Array, next: Int32Array): void
  /** Sorts a bucket where it is. The same positions of the other memory are lost. */
  sort(bucket: Bucket): void
  /** Moves numbers to the same positions of the other memory. */
  move(range: Range): void
}

/** Returns the keys of `numbers`; `other` is as much memory again. */
export function keysOf(numbers: Numbers, other: Numbers): Keys {
  const move = ({ from, to }: Range) => other.set(numbers.subarray(from, to) as never, from)
  if (numbers instanceof Float64Array) {
    const output = other as Float64Array
    return {
      bits: 64,
      count: (range, bits, counts) => count64(numbers, range, bits - 16, counts),
      scatter: (range, bits, bucketOf, next) => scatter64(numbers, range, bits - 16, bucketOf, next, output),
      sort: ({ from, to, bits, flip }) => sort64(numbers, output, from, to, bits, flip),
      move,
    }
  }
  const [words, output] = [wordsOf(numbers), wordsOf(other)]
  // The bits of infinity: what is above is NaN.
  const nanAbove = isFloat(numbers) ? 0x7f80_0000 : 0x7fff_ffff
  return {
    bits: 32,
    count: (range, bits, counts) => count32(words, range, bits - 16, nanAbove, counts),
    scatter: (range, bits, bucketOf, next) => scatter32(words, range, bits - 16, nanAbove, bucketOf, next, output),
    sort: ({ from, to, bits, flip }) => sort32(words, output, from, to, bits, flip),
    move,
  }
}

function wordsOf({ buffer, byteOffset, length }: Numbers): Int32Array {
  return new Int32Array(buffer, byteOffset, length)
}
