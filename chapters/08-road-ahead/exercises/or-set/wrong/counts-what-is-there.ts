// The checker says: A device does not have what it has just added.
/** Numbers an addition by those that are still there: after a removal it uses an id again. */
import type { ObservedSet } from '../check.ts'

export function add({ added, removed }: ObservedSet, device: string, value: string): ObservedSet {
  const there = Object.keys(added).filter((id) => id.endsWith(`@${device}`) && !removed.includes(id))
  return { added: { ...added, [`${there.length + 1}@${device}`]: value }, removed }
}

export function remove({ added, removed }: ObservedSet, value: string): ObservedSet {
  const observed = Object.keys(added).filter((id) => added[id] === value)
  return { added, removed: [...new Set([...removed, ...observed])] }
}

export function merge(a: ObservedSet, b: ObservedSet): ObservedSet {
  return { added: { ...a.added, ...b.added }, removed: [...new Set([...a.removed, ...b.removed])] }
}

export function values({ added, removed }: ObservedSet): string[] {
  const there = Object.entries(added).filter(([id]) => !removed.includes(id))
  return [...new Set(there.map(([, value]) => value))]
}
