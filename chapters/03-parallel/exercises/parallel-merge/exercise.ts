/** The parts of a merge that several workers share. */
import type { Part } from './check.ts'

/**
 * Cuts the merge of two sorted arrays into parts that can be merged independently. Merged and put together, they are the
 * merge of the arrays: sorted, and of equal elements those on the left come first.
 *
 * @param count how many parts, from 1
 * @returns as many parts, in order; their sizes differ by one at most
 */
export function partsOf(_left: readonly number[], _right: readonly number[], _count: number): Part[] {
  // Your code: for each cut, how many of the elements before it come from the left array?
  return []
}
