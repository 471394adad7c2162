/**
 * The loops of the radix sort over numbers of 32 bits, whatever they mean: each is the bits in an Int32Array. They take
 * nearly all of its time. Numbers of 64 bits have loops of their own, since V8 compiles a loop for the types of array that
 * it meets: one `sortBits` for both took a third longer for whole numbers, and two thirds longer once it had sorted doubles.
 */
import type { Range } from '@repo/common/async/ranges'
import { type DigitPlan, type Digits, fewNumbers, planDigits, toPositions } from './digits.ts'

/** The bits of infinity. Those of NaN are above, apart from the sign. */
export const infinity = 0x7f80_0000

/** Counts the digits of the whole numbers [from, to). */
export function countWhole(
  values: Int32Array,
  { from, to }: Range,
  { shift, width }: Digits,
  counts: Int32Array,
): void {
  const mask = (1 << width) - 1
  for (let at = from; at < to; at++) {
    const digit = ((values[at] as number) >>> shift) & mask
    counts[digit] = (counts[digit] as number) + 1
  }
}

/** Counts the digits of the floats [from, to). Asking for NaN takes a third of the time, so whole numbers are not asked. */
export function countFloats(
  values: Int32Array,
  { from, to }: Range,
  { shift, width }: Digits,
  counts: Int32Array,
): void {
  const digits = 1 << width
  for (let at = from; at < to; at++) {
    const value = values[at] as number
    const digit = (value & 0x7fff_ffff) > infinity ? digits : (value >>> shift) & (digits - 1)
    counts[digit] = (counts[digit] as number) + 1
  }
}

/**
 * Moves the numbers [from, to) to the places of their digits, in order; `next` has the next free place of each.
 *
 * @param nanAbove a number is NaN if its bits without the sign are above this: `infinity`, or 2^31 − 1 for whole numbers
 */
export function scatterDigits(
  values: Int32Array,
  { from, to }: Range,
  { shift, width }: Digits,
  nanAbove: number,
  next: Int32Array,
  output: Int32Array,
): void {
  const digits = 1 << width
  for (let at = from; at < to; at++) {
    const value = values[at] as number
    const digit = (value & 0x7fff_ffff) > nanAbove ? digits : (value >>> shift) & (digits - 1)
    const place = next[digit] as number
    output[place] = value
    next[digit] = place + 1
  }
}

/**
 * Sorts the numbers [from, to) in place. They may differ in their lowest `bits` bits only.
 *
 * @param flip −1 if larger bits mean a smaller number, as in negative floats; otherwise 0
 * @param spare as much memory; what is in [from, to) there is lost
 */
export function sortBits(
  values: Int32Array,
  spare: Int32Array,
  from: number,
  to: number,
  bits: number,
  flip: number,
): void {
  if (bits === 0) return
  if (to - from <= fewNumbers) {
    insertionSort(values, from, to, flip)
    return
  }
  const plan = planDigits(to - from, bits)
  sortTwoDigits(values, spare, from, to, plan, flip)
  // The bits below are equal for nearly all numbers that are equal above, or else these get two digits more.
  const { shift } = plan
  if (shift === 0) return
  for (let at = from + 1; at < to; at++) {
    if (((values[at] as number) ^ flip) >= ((values[at - 1] as number) ^ flip)) continue
    const prefix = (values[at] as number) >>> shift
    let start = at - 1
    while (start > from && (values[start - 1] as number) >>> shift === prefix) start--
    while (at < to && (values[at] as number) >>> shift === prefix) at++
    sortBits(values, spare, start, at, shift, flip)
  }
}

/** Sorts by the upper and the lower digit of a plan: first by the lower one, and then, stably, by the upper one. */
function sortTwoDigits(
  values: Int32Array,
  spare: Int32Array,
  from: number,
  to: number,
  { lower, upper, shift, width }: DigitPlan,
  flip: number,
): void {
  const mask = (1 << width) - 1
  const upperShift = shift + width
  for (let at = from; at < to; at++) {
    const value = (values[at] as number) ^ flip
    const low = (value >>> shift) & mask
    const high = (value >>> upperShift) & mask
    lower[low] = (lower[low] as number) + 1
    upper[high] = (upper[high] as number) + 1
  }
  const lowerDiffers = toPositions(lower, mask, from)
  const upperDiffers = toPositions(upper, mask, from)
  if (!lowerDiffers && !upperDiffers) return
  for (let at = from; at < to; at++) {
    const value = values[at] as number
    const digit = ((value ^ flip) >>> shift) & mask
    const place = lower[digit] as number
    spare[place] = value
    lower[digit] = place + 1
  }
  for (let at = from; at < to; at++) {
    const value = spare[at] as number
    const digit = ((value ^ flip) >>> upperShift) & mask
    const place = upper[digit] as number
    values[place] = value
    upper[digit] = place + 1
  }
}

function insertionSort(values: Int32Array, from: number, to: number, flip: number): void {
  for (let at = from + 1; at < to; at++) {
    const value = values[at] as number
    let place = at
    for (; place > from; place--) {
      const before = values[place - 1] as number
      if ((before ^ flip) <= (value ^ flip)) break
      values[place] = before
    }
    values[place] = value
  }
}
