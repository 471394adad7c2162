/**
 * The extremes of a list. `Math.max(...list)` ends the program with a RangeError on a long list: each item becomes an
 * argument, and all arguments must fit on the stack.
 */

/** Returns the largest number, −Infinity if there is none, and NaN if there is a NaN: as `Math.max`. */
export function largest(numbers: Iterable<number>): number {
  let most = -Infinity
  for (const number of numbers) most = Math.max(most, number)
  return most
}

/** Returns the smallest number, Infinity if there is none, and NaN if there is a NaN: as `Math.min`. */
export function smallest(numbers: Iterable<number>): number {
  let least = Infinity
  for (const number of numbers) least = Math.min(least, number)
  return least
}
