// The checker says: The merged parts, one after the other, are not sorted.
/** Cuts each array into equal pieces, as if their elements were alike. */
import type { Part } from '../check.ts'

export function partsOf(left: readonly number[], right: readonly number[], count: number): Part[] {
  const cut = (length: number, part: number) => Math.floor((part * length) / count)
  return Array.from({ length: count }, (_, part) => ({
    left: { from: cut(left.length, part), to: cut(left.length, part + 1) },
    right: { from: cut(right.length, part), to: cut(right.length, part + 1) },
  }))
}
