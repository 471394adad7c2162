/** How the radix sort looks at the bits of numbers. */

/** The 16-bit digit that all NaN get, whatever their sign and payload. In floats, it is the first digit of NaN only. */
export const nanDigit = 0x7fff

/** So few numbers are sorted by insertion. */
export const fewNumbers = 32

/** Two digits of `width` bits, the lower one from bit `shift`, and how often they occur. */
export interface DigitPlan {
  shift: number
  width: number
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
 * Turns the number of times that each digit occurs in [from, to) into the position of the first of them.
 *
 * @returns false if only one digit occurs
 */
export function toPositions(counts: Int32Array, mask: number, from: number, to: number): boolean {
  let position = from
  for (let digit = 0; digit <= mask; digit++) {
    const count = counts[digit] as number
    if (count === to - from) return false
    counts[digit] = position
    position += count
  }
  return true
}
