/** What a reader sees who asks both stores at the same moment, again and again. */

/** The money that there is, all of it in A at the beginning. */
export const opening = 100

export interface Change {
  atMs: number
  /** The money in both stores. */
  sum: number
  /** The bookings whose accounts are locked. */
  locked: number
}

export interface Extremes {
  least: number
  most: number
  /** The longest time in ms that the sum was short; Infinity if it stayed so. */
  shortMs: number
  /** The longest time in ms that an account was locked. */
  lockedMs: number
}

export function extremesOf(changes: readonly Change[]): Extremes {
  const sums = changes.map(({ sum }) => sum)
  return {
    least: Math.min(...sums),
    most: Math.max(...sums),
    shortMs: longest(changes, ({ sum }) => sum < opening),
    lockedMs: longest(changes, ({ locked }) => locked > 0),
  }
}

/** Returns the longest time in ms that something held without a break; Infinity if it held at the end. */
export const longest = (changes: readonly Change[], holds: (change: Change) => boolean): number =>
  Math.max(0, ...spansOf(changes, holds).map(({ from, to }) => to - from))

/** Returns the times in ms during which something held; to Infinity, if it held at the end. */
export function spansOf(
  changes: readonly Change[],
  holds: (change: Change) => boolean,
): { from: number; to: number }[] {
  const spans: { from: number; to: number }[] = []
  let from: number | undefined
  for (const change of changes) {
    if (holds(change)) from ??= change.atMs
    else if (from !== undefined) {
      spans.push({ from, to: change.atMs })
      from = undefined
    }
  }
  return from === undefined ? spans : [...spans, { from, to: Number.POSITIVE_INFINITY }]
}
