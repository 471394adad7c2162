// The checker says: An addition is lost: nobody who removed the value had observed it.
/** Numbers additions by a variable of the program: every device has its own, and it begins anew with each start. */
import type { ObservedSet } from '../check.ts'

let number = 0

export function add({ added, removed }: ObservedSet, device: string, value: string): ObservedSet {
  number++
  return { added: { ...added, [`${number}@${device}`]: value }, removed }
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
