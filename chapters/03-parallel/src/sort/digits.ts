/** How the radix sort looks at the bits of numbers. */

/** Digits of `width` bits, from bit `shift` on. The digit of NaN, whatever its bits, is the one after all others. */
export interface Digits {
  shift: number
  width: number
}

/** So few numbers are sorted by insertion. */
export const fewNumbers = 32

/** Two digits of `width` bits, the lower one from bit `shift`, and how often they occur. */
export interface DigitPlan extends Digits {
  lower: Int32Array
  upper: Int32Array
}

const widest = 11
const lower = new Int32Array(1 << widest)
const upper = new Int32Array(1 << widest)

/**
 * Plans two digits at the top of `bits` bits: as wide as tell `count` numbers apart if their bits are random, and with
 * counters that fit into the first cache. Counters start at zero.
 */
export function planDigits(count: number, bits: number): DigitPlan {
  const wanted = Math.min(bits, Math.ceil(Math.log2(count)) + 5)
  const width = Math.min(widest, Math.ceil(wanted / 2))
  lower.fill(0, 0, 1 << width)
  upper.fill(0, 0, 1 << width)
  return { shift: Math.max(0, bits - 2 * width), width, lower, upper }
}

/**
 * Turns how often each digit occurs into the position of the first of them, from `from` on.
 *
 * @returns whether more than one digit occurs
 */
export function toPositions(counts: Int32Array, mask: number, from: number): boolean {
  let position = from
  let different = 0
  for (let digit = 0; digit <= mask; digit++) {
    const count = counts[digit] as number
    counts[digit] = position
    position += count
    if (count > 0) different++
  }
  return different > 1
}
