/** A set that several devices change at once: a removal removes the additions that its device has observed. */
import type { ObservedSet } from './check.ts'

/** Returns the set with a value added by a device. */
export function add({ added, removed }: ObservedSet, device: string, value: string): ObservedSet {
  // Additions that were removed count as well: an id is used once, for ever.
  const number = Object.keys(added).filter((id) => id.endsWith(`@${device}`)).length + 1
  return { added: { ...added, [`${number}@${device}`]: value }, removed }
}

/** Returns the set without a value. */
export function remove({ added, removed }: ObservedSet, value: string): ObservedSet {
  const observed = Object.keys(added).filter((id) => added[id] === value)
  return { added, removed: union(removed, observed) }
}

/** Returns what two copies know together. */
export function merge(a: ObservedSet, b: ObservedSet): ObservedSet {
  // Both parts only grow, and a union does not depend on order, grouping or repetition.
  return { added: { ...a.added, ...b.added }, removed: union(a.removed, b.removed) }
}

/** Returns what is in the set, each value once. */
export function values({ added, removed }: ObservedSet): string[] {
  const there = Object.entries(added).filter(([id]) => !removed.includes(id))
  return [...new Set(there.map(([, value]) => value))]
}

const union = (a: readonly string[], b: readonly string[]) => [...new Set([...a, ...b])]
