// The checker says: An addition is lost: nobody who removed the value had observed it.
/** Gives each value one id, so that a removal removes all additions of the value. */
import type { ObservedSet } from '../check.ts'

export function add({ added, removed }: ObservedSet, _device: string, value: string): ObservedSet {
  return { added: { ...added, [value]: value }, removed: removed.filter((id) => id !== value) }
}

export function remove({ added, removed }: ObservedSet, value: string): ObservedSet {
  return { added, removed: [...new Set([...removed, value])] }
}

export function merge(a: ObservedSet, b: ObservedSet): ObservedSet {
  return { added: { ...a.added, ...b.added }, removed: [...new Set([...a.removed, ...b.removed])] }
}

export function values({ added, removed }: ObservedSet): string[] {
  return Object.keys(added).filter((id) => !removed.includes(id))
}
