// The checker says: The parts are not of the same size.
/** Cuts the left array into equal pieces, and looks where these cuts fall in the right one. */
import type { Part } from '../check.ts'

export function partsOf(left: readonly number[], right: readonly number[], count: number): Part[] {
  const cut = (part: number) => {
    const fromLeft = Math.floor((part * left.length) / count)
    const before = left[fromLeft]
    if (part === 0) return { fromLeft: 0, fromRight: 0 }
    return { fromLeft, fromRight: before === undefined ? right.length : numberBelow(right, before) }
  }
  return Array.from({ length: count }, (_, part) => {
    const [begin, end] = [cut(part), cut(part + 1)]
    return { left: { from: begin.fromLeft, to: end.fromLeft }, right: { from: begin.fromRight, to: end.fromRight } }
  })
}

/** How many elements of a sorted array are smaller than a limit. */
function numberBelow(values: readonly number[], limit: number): number {
  let [low, high] = [0, values.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (values[middle] < limit) low = middle + 1
    else high = middle
  }
  return low
}
