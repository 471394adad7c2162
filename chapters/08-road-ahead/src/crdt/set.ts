/**
 * A set that several replicas change at once. Each addition has an id, and a removal removes the additions that its
 * replica has seen: an addition elsewhere at the same time survives. Source: the OR-set of Shapiro et al. (2011).
 */
import { type Id, mergeMaps, nextTime } from './lattice.ts'

/** The additions by id, with what was added; null once it is removed. That is a tombstone, and stays. */
export type ObservedSet = ReadonlyMap<Id, string | null>

/** Returns the delta that adds a value. */
export function addTo(set: ObservedSet, replica: string, value: string): ObservedSet {
  return new Map<Id, string>([[`${nextTime(set)}@${replica}`, value]])
}

/** Returns the delta that removes a value, which is empty if the value is not there. */
export function removeFrom(set: ObservedSet, value: string): ObservedSet {
  return new Map([...set].filter(([, each]) => each === value).map(([id]) => [id, null]))
}

export function mergeSets(a: ObservedSet, b: ObservedSet): ObservedSet {
  return mergeMaps(a, b, (own, other) => (own === null ? null : other))
}

export function valuesOf(set: ObservedSet): Set<string> {
  return new Set([...set.values()].filter((value) => value !== null))
}
