/** Chooses the first digits of numbers, and cuts the numbers into buckets by how often each digit occurs. */
import type { Range } from '@repo/common/async/ranges'
import type { Digits } from './digits.ts'
import { type Bits, type Bucket, isNegative } from './keys.ts'
import { isFloat, type Numbers } from './numbers.ts'

/** A bucket of this many numbers is sorted inside the second cache, with its spare memory. */
export const cachedNumbers = 1 << 15

/** The counters of so many bits fit into the second cache as well. */
export const widestDigit = 16

/** How digits follow from their rank, their place in the order of numbers. */
interface Half {
  /** A digit is its rank with these bits changed. */
  changed: number
  /** −1 if larger bits mean a smaller number, otherwise 0. */
  flip: number
}

export interface FirstDigits extends Digits {
  /** For ranks of the lower half, and of the upper one. */
  order: readonly [Half, Half]
  /** Whether the halves have different uppermost bits. What sorts the buckets compares them with the sign, if any. */
  bothSigns: boolean
}

/**
 * Chooses the digits that cut numbers into buckets for the cache: the uppermost bits that differ.
 *
 * Only the sign needs care. Whole numbers: negative ones come first, although their uppermost bit is set. Floats: also,
 * among negative ones, larger bits mean a smaller number.
 *
 * @param bits those in which the numbers of the range differ, at least one
 */
export function firstDigits(numbers: Numbers, { from, to }: Range, { bits }: Bits): FirstDigits {
  const float = isFloat(numbers)
  // Random whole numbers fill all buckets alike. Floats crowd into a few exponents, so they need finer digits.
  const wanted = Math.ceil(Math.log2((to - from) / cachedNumbers)) + (float ? 6 : 0)
  const width = Math.min(bits, widestDigit, Math.max(1, wanted))
  const all = (1 << width) - 1
  const sign = 1 << (width - 1)
  const bothSigns = bits === 8 * numbers.BYTES_PER_ELEMENT
  const asIs = { changed: 0, flip: 0 }
  const signed = { changed: sign, flip: 0 }
  const flipped = { changed: all, flip: -1 }
  const same = float && isNegative(numbers, from) ? flipped : asIs
  const isSigned = bothSigns && !(numbers instanceof Uint32Array)
  const order = isSigned ? ([float ? flipped : signed, signed] as const) : ([same, same] as const)
  return { shift: bits - width, width, order, bothSigns }
}

/**
 * Cuts numbers into buckets, in order: the digits are halved, and halved again, until at most `cachedNumbers` numbers or
 * a single digit are left. So a bucket is a prefix of the bits, and the longer, the more numbers begin with it. Empty
 * buckets are left out.
 *
 * NaN are a bucket of their own, after all others, and need no more sorting: they keep their order and their payloads.
 *
 * @param counts how often each digit occurs; becomes the position of its first number
 * @param lowest the lowest bit in which the numbers differ
 */
export function cutIntoBuckets(
  counts: Int32Array,
  { from, to }: Range,
  lowest: number,
  { shift, width, order, bothSigns }: FirstDigits,
): Bucket[] {
  const digits = 1 << width
  const half = (rank: number) => order[rank < digits / 2 ? 0 : 1]
  const starts = new Int32Array(digits + 1)
  let position = from
  for (let rank = 0; rank <= digits; rank++) {
    const digit = rank === digits ? rank : rank ^ half(rank).changed
    const count = counts[digit] as number
    counts[digit] = position
    starts[rank] = position
    position += count
  }

  const buckets: Bucket[] = []
  const cut = (rank: number, size: number) => {
    const bucket = { from: starts[rank] as number, to: starts[rank + size] as number }
    if (bucket.from === bucket.to) return
    // Even a few numbers are told apart by their sign.
    if (size > 1 && (bucket.to - bucket.from > cachedNumbers || (size === digits && bothSigns))) {
      cut(rank, size / 2)
      cut(rank + size / 2, size / 2)
      return
    }
    const bits = shift + Math.log2(size)
    buckets.push({ ...bucket, bits: bits > lowest ? bits : 0, flip: half(rank).flip })
  }
  cut(0, digits)
  const nanFrom = starts[digits] as number
  if (nanFrom < to) buckets.push({ from: nanFrom, to, bits: 0, flip: 0 })
  return buckets
}
