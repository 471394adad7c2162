// The checker says: A value comes back that was removed.
/** Takes what is removed out of the set. */
import type { ObservedSet } from '../check.ts'

export function add({ added, removed }: ObservedSet, device: string, value: string): ObservedSet {
  // Random ids are never used twice.
  return { added: { ...added, [`${device} ${crypto.randomUUID()}`]: value }, removed }
}

export function remove({ added, removed }: ObservedSet, value: string): ObservedSet {
  return { added: Object.fromEntries(Object.entries(added).filter(([, each]) => each !== value)), removed }
}

export function merge(a: ObservedSet, b: ObservedSet): ObservedSet {
  return { added: { ...a.added, ...b.added }, removed: [] }
}

export function values({ added }: ObservedSet): string[] {
  return [...new Set(Object.values(added))]
}
