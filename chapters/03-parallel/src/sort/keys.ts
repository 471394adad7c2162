/** Numbers as keys that a radix sort can take: bits whose digits, from the top, decide their order. */
import type { Range } from '@repo/common/async/ranges'
import type { Digits } from './digits.ts'
import { countFloats, countWhole, infinity, scatterDigits as scatter32, sortBits as sort32 } from './digits-32.ts'
import { countDigits as count64, scatterDigits as scatter64, sortBits as sort64 } from './digits-64.ts'
import { isFloat, type Numbers } from './numbers.ts'

/** Numbers at positions [from, to) that may differ in their lowest `bits` bits only; 0 if they are in order. */
export interface Bucket extends Range {
  bits: number
  /** −1 if larger bits mean a smaller number, otherwise 0. */
  flip: number
}

/** The bits in which numbers may differ: those from bit `lowest` on, below bit `bits`. */
export interface Bits {
  lowest: number
  bits: number
}

/** What is in memory, and where it is moved. */
export interface Keys {
  /** Counts the digits of numbers. */
  count(range: Range, digits: Digits, counts: Int32Array): void
  /** Moves numbers to the places of their digits in the other memory, in order; `next` has the next place of each. */
  scatter(range: Range, digits: Digits, next: Int32Array): void
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
      count: (range, digits, counts) => count64(numbers, range, digits, counts),
      scatter: (range, digits, next) => scatter64(numbers, range, digits, next, output),
      sort: ({ from, to, bits, flip }) => sort64(numbers, output, from, to, bits, flip),
      move,
    }
  }
  const [words, output] = [wordsOf(numbers), wordsOf(other)]
  const count = isFloat(numbers) ? countFloats : countWhole
  const nanAbove = isFloat(numbers) ? infinity : 0x7fff_ffff
  return {
    count: (range, digits, counts) => count(words, range, digits, counts),
    scatter: (range, digits, next) => scatter32(words, range, digits, nanAbove, next, output),
    sort: ({ from, to, bits, flip }) => sort32(words, output, from, to, bits, flip),
    move,
  }
}

/**
 * Finds the bits in which numbers differ from the one at `first`: those of their lower word in `differing[0]`, and of their upper word, if they
 * have two, in `differing[1]`. At the first number that differs in the uppermost bit it stops, and takes all bits as
 * different.
 */
export function lookAt(numbers: Numbers, { from, to }: Range, first: number, differing: Int32Array): void {
  const words = wordsOf(numbers)
  const step = words.length / numbers.length
  const firstLower = words[first * step] as number
  const firstUpper = words[(first + 1) * step - 1] as number
  let lower = 0
  let upper = 0
  for (let at = from * step; at < to * step && upper >= 0; at += step) {
    lower |= (words[at] as number) ^ firstLower
    upper |= (words[at + step - 1] as number) ^ firstUpper
  }
  differing[0] = upper < 0 ? -1 : lower
  differing[1] = step === 1 ? 0 : upper
}

/** Where the bits are that `lookAt` found. */
export function toBits([lower = 0, upper = 0]: Int32Array): Bits {
  const lowest = (word: number) => 31 - Math.clz32(word & -word)
  return {
    lowest: lower === 0 ? 32 + lowest(upper) : lowest(lower),
    bits: upper === 0 ? 32 - Math.clz32(lower) : 64 - Math.clz32(upper),
  }
}

/** Whether the sign bit is set; also in NaN. */
export function isNegative(numbers: Numbers, at: number): boolean {
  const words = wordsOf(numbers)
  return (words[((at + 1) * words.length) / numbers.length - 1] as number) < 0
}

/** The words of 32 bits of numbers. The lower one comes first, as on every little-endian processor. */
function wordsOf({ buffer, byteOffset, byteLength }: Numbers): Int32Array {
  return new Int32Array(buffer, byteOffset, byteLength / 4)
}
