// The checker says: Of equal elements, one of the right array comes before one of the left.
/** Compares by `<`: of two equal elements, the cut takes the one on the right first. */
import type { Part } from '../check.ts'

export function partsOf(left: readonly number[], right: readonly number[], count: number): Part[] {
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
    if (left[middle] < right[place - middle - 1]) low = middle + 1
    else high = middle
  }
  return low
}
