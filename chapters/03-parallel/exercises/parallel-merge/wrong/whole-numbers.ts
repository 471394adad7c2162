// The checker says: The merged parts, one after the other, are not sorted.
/** Believes that there is no number between two whole ones. */
import type { Part } from '../check.ts'

/**
 * Cuts the merge of two sorted arrays into parts that can be merged independently. Merged and put together, they are the
 * merge of the arrays: sorted, and of equal elements those on the left come first.
 *
 * @param count how many parts, from 1
 * @returns as many parts, in order; their sizes differ by one at most
 */
export function partsOf(left: readonly number[], right: readonly number[], count: number): Part[] {
  // The result is cut into equal parts, and not the arrays: its parts are what the workers have to do.
  const cut = (part: number) => {
    const place = Math.floor((part * (left.length + right.length)) / count)
    const fromLeft = takenFromLeft(left, right, place)
    return { fromLeft, fromRight: place - fromLeft }
  }
  return Array.from({ length: count }, (_, part) => {
    const [begin, end] = [cut(part), cut(part + 1)]
    return { left: { from: begin.fromLeft, to: end.fromLeft }, right: { from: begin.fromRight, to: end.fromRight } }
  })
}

/** How many of the first `place` elements of the merge come from the left array. */
function takenFromLeft(left: readonly number[], right: readonly number[], place: number): number {
  let low = Math.max(0, place - right.length)
  let high = Math.min(place, left.length)
  while (low < high) {
    const middle = (low + high) >>> 1
    // Equal elements on the left come first: they are before the place if the one on the right is.
    if (left[middle] < right[place - middle - 1] + 1) low = middle + 1
    else high = middle
  }
  return low
}
