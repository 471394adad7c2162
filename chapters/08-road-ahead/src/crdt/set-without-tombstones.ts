/**
 * The same set without tombstones. A replica also knows up to which of each replica's additions it has seen everything:
 * what it has seen and does not have was removed. Source: Bieniusa et al., "An optimized conflict-free replicated set"
 * (2012).
 *
 * Whole states are merged here, no deltas: a delta that overtakes another would claim to have seen what it has not.
 */
import { type Id, mergeMaps, timeOf } from './lattice.ts'

export interface CompactSet {
  /** The number of additions of each replica that were seen, whether or not they are still there. */
  seen: ReadonlyMap<string, number>
  /** What is there, by the id of its addition, which counts the additions of its replica. */
  values: ReadonlyMap<Id, string>
}

export const emptyCompactSet: CompactSet = { seen: new Map(), values: new Map() }

/** Returns the set with a value added. */
export function addCompact({ seen, values }: CompactSet, replica: string, value: string): CompactSet {
  const number = (seen.get(replica) ?? 0) + 1
  return { seen: new Map(seen).set(replica, number), values: new Map(values).set(`${number}@${replica}`, value) }
}

/** Returns the set without a value. */
export function removeCompact({ seen, values }: CompactSet, value: string): CompactSet {
  return { seen, values: new Map([...values].filter(([, each]) => each !== value)) }
}

export function mergeCompactSets(a: CompactSet, b: CompactSet): CompactSet {
  const hasSeen = ({ seen }: CompactSet, id: Id) => timeOf(id) <= (seen.get(id.slice(id.indexOf('@') + 1)) ?? 0)
  /** What one has stays if both have it, or if the other has never seen it. */
  const staying = (one: CompactSet, other: CompactSet) =>
    [...one.values].filter(([id]) => other.values.has(id) || !hasSeen(other, id))
  return { seen: mergeMaps(a.seen, b.seen, Math.max), values: new Map([...staying(a, b), ...staying(b, a)]) }
}
