// The checker says: A device does not have what it has just added.
/** A set that several devices change at once: a removal removes the additions that its device has observed. */
import type { ObservedSet } from './check.ts'

/** Returns the set with a value added by a device. */
export function add(set: ObservedSet, _device: string, _value: string): ObservedSet {
  // Your code: what is the id of this addition, which no other one has or had?
  return set
}

/** Returns the set without a value. */
export function remove(set: ObservedSet, _value: string): ObservedSet {
  // Your code: which additions has this device observed?
  return set
}

/** Returns what two copies know together. */
export function merge(a: ObservedSet, _b: ObservedSet): ObservedSet {
  // Your code: which order of copies must not matter?
  return a
}

/** Returns what is in the set, each value once. */
export function values(_set: ObservedSet): string[] {
  // Your code
  return []
}
