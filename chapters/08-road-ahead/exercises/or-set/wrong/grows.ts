// The checker says: A copy that is merged with itself grows.
/** Puts the ids of both copies one after the other. */
import type { ObservedSet } from '../check.ts'

export function add({ added, removed }: ObservedSet, device: string, value: string): ObservedSet {
  const number = Object.keys(added).filter((id) => id.endsWith(`@${device}`)).length + 1
  return { added: { ...added, [`${number}@${device}`]: value }, removed }
}

export function remove({ added, removed }: ObservedSet, value: string): ObservedSet {
  const observed = Object.keys(added).filter((id) => added[id] === value)
  return { added, removed: union(removed, observed) }
}

export function merge(a: ObservedSet, b: ObservedSet): ObservedSet {
  return { added: { ...a.added, ...b.added }, removed: union(a.removed, b.removed) }
}

export function values({ added, removed }: ObservedSet): string[] {
  const there = Object.entries(added).filter(([id]) => !removed.includes(id))
  return [...new Set(there.map(([, value]) => value))]
}

const union = (a: readonly string[], b: readonly string[]) => [...a, ...b]
