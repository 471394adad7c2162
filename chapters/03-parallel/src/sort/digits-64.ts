/**
 * The loops of digits-32.ts over doubles. A double is moved as a double, and its digits are read from its words of 32 bits,
 * so that no BigInt is made. The lower word comes first, as on every little-endian processor.
 */
import type { Range } from '@repo/common/async/ranges'
import { type DigitPlan, type Digits, fewNumbers, planDigits, toPositions } from './digits.ts'

/** Counts the digits of the numbers [from, to). */
export function countDigits(values: Float64Array, { from, to }: Range, digits: Digits, counts: Int32Array): void {
  const words = wordsOf(values)
  const { high, low, left, shift } = placeOf(digits.shift, digits.width)
  const nan = 1 << digits.width
  for (let at = from; at < to; at++) {
    const key = ((words[2 * at + high] as number) << left) | ((words[2 * at + low] as number) >>> shift)
    const digit = Number.isNaN(values[at]) ? nan : key & (nan - 1)
    counts[digit] = (counts[digit] as number) + 1
  }
}

/** Moves the numbers [from, to) to the places of their digits, in order; `next` has the next free place of each. */
export function scatterDigits(
  values: Float64Array,
  { from, to }: Range,
  digits: Digits,
  next: Int32Array,
  output: Float64Array,
): void {
  const words = wordsOf(values)
  const { high, low, left, shift } = placeOf(digits.shift, digits.width)
  const nan = 1 << digits.width
  for (let at = from; at < to; at++) {
    const value = values[at] as number
    const key = ((words[2 * at + high] as number) << left) | ((words[2 * at + low] as number) >>> shift)
    const digit = Number.isNaN(value) ? nan : key & (nan - 1)
    const place = next[digit] as number
    output[place] = value
    next[digit] = place + 1
  }
}

/**
 * Where `width` bits from bit `shift` on, at most 32, lie: some in the upper word, and some in the lower one. If one
 * word has them all, it is read twice.
 */
function placeOf(shift: number, width: number) {
  const high = shift + width > 32 ? 1 : 0
  const low = shift < 32 ? 0 : 1
  return { high, low, left: high === low ? 31 : 32 - shift, shift }
}

/**
 * Sorts the numbers [from, to) in place. They are not NaN, have the same sign, and may differ in their lowest `bits`
 * bits only.
 *
 * @param flip −1 for negative numbers, otherwise 0
 * @param spare as much memory; what is in [from, to) there is lost
 */
export function sortBits(
  values: Float64Array,
  spare: Float64Array,
  from: number,
  to: number,
  bits: number,
  flip: number,
): void {
  if (bits === 0) return
  if (to - from <= fewNumbers) {
    insertionSort(values, from, to)
    return
  }
  const plan = planDigits(to - from, bits)
  sortTwoDigits(values, spare, from, to, plan, flip)
  // The bits below are equal for nearly all numbers that are equal above, or else these get two digits more.
  const { shift } = plan
  if (shift === 0) return
  const words = wordsOf(values)
  for (let at = from + 1; at < to; at++) {
    if ((values[at] as number) >= (values[at - 1] as number)) continue
    const first = at
    let start = at - 1
    while (start > from && equalAbove(words, start - 1, first, shift)) start--
    while (at < to && equalAbove(words, at, first, shift)) at++
    sortBits(values, spare, start, at, shift, flip)
  }
}

/** Sorts by the upper and the lower digit of a plan: first by the lower one, and then, stably, by the upper one. */
function sortTwoDigits(
  values: Float64Array,
  spare: Float64Array,
  from: number,
  to: number,
  { lower, upper, shift, width }: DigitPlan,
  flip: number,
): void {
  const mask = (1 << width) - 1
  const words = wordsOf(values)
  const spareWords = wordsOf(spare)
  const { high, low, left } = placeOf(shift, 2 * width)
  for (let at = from; at < to; at++) {
    const key = ((words[2 * at + high] as number) << left) | ((words[2 * at + low] as number) >>> shift)
    const lowerDigit = (key ^ flip) & mask
    const upperDigit = ((key ^ flip) >>> width) & mask
    lower[lowerDigit] = (lower[lowerDigit] as number) + 1
    upper[upperDigit] = (upper[upperDigit] as number) + 1
  }
  const lowerDiffers = toPositions(lower, mask, from)
  const upperDiffers = toPositions(upper, mask, from)
  if (!lowerDiffers && !upperDiffers) return
  for (let at = from; at < to; at++) {
    const key = ((words[2 * at + high] as number) << left) | ((words[2 * at + low] as number) >>> shift)
    const digit = (key ^ flip) & mask
    const place = lower[digit] as number
    spare[place] = values[at] as number
    lower[digit] = place + 1
  }
  for (let at = from; at < to; at++) {
    const key = ((spareWords[2 * at + high] as number) << left) | ((spareWords[2 * at + low] as number) >>> shift)
    const digit = ((key ^ flip) >>> width) & mask
    const place = upper[digit] as number
    values[place] = spare[at] as number
    upper[digit] = place + 1
  }
}

/** The words of 32 bits: the lower and the upper one of each number. */
function wordsOf(values: Float64Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, 2 * values.length)
}

/** Whether two numbers are equal in all bits from bit `shift` on. */
function equalAbove(words: Int32Array, a: number, b: number, shift: number): boolean {
  const upper = (words[2 * a + 1] as number) ^ (words[2 * b + 1] as number)
  if (shift >= 32) return upper >>> shift === 0
  return upper === 0 && ((words[2 * a] as number) ^ (words[2 * b] as number)) >>> shift === 0
}

function insertionSort(values: Float64Array, from: number, to: number): void {
  for (let at = from + 1; at < to; at++) {
    const value = values[at] as number
    let place = at
    for (; place > from; place--) {
      const before = values[place - 1] as number
      if (before <= value) break
      values[place] = before
    }
    values[place] = value
  }
}
