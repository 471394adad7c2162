/**
 * What the copies have in common: their state only ever grows, and merging takes the larger of two states. Taking the
 * larger does not depend on order, grouping or repetition, so neither does the result.
 *
 * An edit returns a delta: a small state, to be merged into any copy, the own one included. Source: Almeida, Shoker and
 * Baquero, "Delta state replicated data types" (2018).
 */

/** Names an edit: a Lamport time and who made it. No two edits have the same one. */
export type Id = `${number}@${string}`

// #region merge
/** Merges two maps key by key. What only one of them has is kept. */
export function mergeMaps<Key, Value>(
  a: ReadonlyMap<Key, Value>,
  b: ReadonlyMap<Key, Value>,
  larger: (a: Value, b: Value) => Value,
): Map<Key, Value> {
  const merged = new Map(a)
  for (const [key, value] of b) {
    const own = merged.get(key)
    merged.set(key, own === undefined ? value : larger(own, value))
  }
  return merged
}
// #endregion merge

/** Returns the time of an edit. */
export const timeOf = (id: Id): number => Number.parseInt(id, 10)

/** Returns a time that is later than those of all edits in a state. */
export const nextTime = (state: ReadonlyMap<Id, unknown>): number =>
  1 + state.keys().reduce((latest, id) => Math.max(latest, timeOf(id)), 0)

/** Orders edits by time, and those at the same time by who made them. Positive if `a` is the later one. */
export function compareIds(a: Id, b: Id): number {
  return timeOf(a) - timeOf(b) || (a === b ? 0 : a > b ? 1 : -1)
}
