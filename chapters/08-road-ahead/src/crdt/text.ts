/**
 * A text that several replicas edit at once. Each character knows after which one it was typed, which makes the text a
 * tree; of characters that were typed after the same one, the latest comes first. Source: the replicated growable array of
 * Roh, Jeon, Kim and Lee (2011), in the form of the timestamped insertion tree of Attiya et al., "Specification and
 * complexity of collaborative text editing" (2016).
 */
import { compareIds, type Id, mergeMaps, nextTime } from './lattice.ts'

export interface Character {
  /** The character after which it was typed; undefined at the beginning of the text. */
  after: Id | undefined
  /** Null once it is removed. It stays as a tombstone, because others may be typing after it. */
  text: string | null
}

export type Text = ReadonlyMap<Id, Character>

/**
 * Returns the delta that types something.
 *
 * @param at the number of visible characters before it
 */
export function insert(text: Text, replica: string, at: number, typed: string): Text {
  let time = nextTime(text)
  let after = at === 0 ? undefined : visible(text)[at - 1]
  const delta = new Map<Id, Character>()
  for (const each of typed) {
    const id: Id = `${time++}@${replica}`
    delta.set(id, { after, text: each })
    after = id
  }
  return delta
}

/** Returns the delta that removes the visible characters from `at`, included, to `end`, excluded. */
export function remove(text: Text, at: number, end: number): Text {
  const gone = visible(text).slice(at, end)
  return new Map(gone.map((id) => [id, { after: text.get(id)?.after, text: null }]))
}

// #region merge
export function mergeTexts(a: Text, b: Text): Text {
  return mergeMaps(a, b, (own, other) => (own.text === null ? own : other))
}
// #endregion merge

/**
 * Returns all characters in the order of the text, tombstones included. A character is left out while the one before it
 * has not arrived.
 */
export function inOrder(text: Text): Id[] {
  const followers = Map.groupBy(text.keys(), (id) => text.get(id)?.after)
  for (const ids of followers.values()) if (ids.length > 1) ids.sort(compareIds)
  const ordered: Id[] = []
  // The next one is at the end. No recursion: a long text is a deep tree.
  const pending = [...(followers.get(undefined) ?? [])]
  for (let id = pending.pop(); id; id = pending.pop()) {
    ordered.push(id)
    for (const follower of followers.get(id) ?? []) pending.push(follower)
  }
  return ordered
}

const visible = (text: Text) => inOrder(text).filter((id) => text.get(id)?.text !== null)

/** Returns the text as readers see it. */
export function read(text: Text): string {
  return inOrder(text)
    .map((id) => text.get(id)?.text ?? '')
    .join('')
}
