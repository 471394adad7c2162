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

type Condition = (change: Change) => boolean

/** The smallest and the largest sum, and for how long, in ms, the sum was short and an account locked, at the most. */
export const extremesOf = (changes: readonly Change[]) => ({
  least: Math.min(...changes.map(({ sum }) => sum)),
  most: Math.max(...changes.map(({ sum }) => sum)),
  shortMs: longest(changes, ({ sum }) => sum < opening),
  lockedMs: longest(changes, ({ locked }) => locked > 0),
})
export type Extremes = ReturnType<typeof extremesOf>

/** Returns the longest time in ms that something held without a break; Infinity if it held at the end. */
export const longest = (changes: readonly Change[], holds: Condition): number =>
  Math.max(0, ...spansOf(changes, holds).map(({ from, to }) => to - from))

/** Returns the times in ms during which something held; to Infinity, if it held at the end. */
export function spansOf(changes: readonly Change[], holds: Condition): { from: number; to: number }[] {
  return changes.flatMap((change, at) => {
    if (!holds(change) || (at > 0 && holds(changes[at - 1]))) return []
    const end = changes.slice(at).find((later) => !holds(later))
    return [{ from: change.atMs, to: end?.atMs ?? Number.POSITIVE_INFINITY }]
  })
}
