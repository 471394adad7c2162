/** The last phase of an index of shingles: the equal shingles of a partition, and the list of the texts of each. */
import {
  countShingles,
  type IndexOptions,
  isExact,
  newIndex,
  partitionsOf,
  piecesOf,
  placePartitions,
  type ShingleIndex,
  withMoreSlots,
  writeShingles,
} from './shingle-index.ts'
import { placeOf } from './word-numbers.ts'

/** Builds the whole index on one thread, of contents as `layOut` takes them. */
export function indexTexts(
  contents: readonly (string | Uint8Array)[],
  size: number,
  options?: IndexOptions,
): ShingleIndex {
  let index = newIndex(contents, size, options)
  while (!countShingles(index, piecesOf(index))) index = withMoreSlots(index)
  placePartitions(index)
  writeShingles(index, piecesOf(index))
  indexShingles(index, partitionsOf(index))
  return index
}

/** Phase 4. */
export function indexShingles(index: ShingleIndex, partitions: Iterable<number>): void {
  for (const partition of partitions) indexPartition(index, partition)
}

/** What is known of the shingles of a partition, from its first one on. */
const newNotes = (count: number, capacity: number) => ({
  /** A hash table: 1 + the number of a shingle that is the first of its kind. Then, where its list goes on. */
  slots: new Uint32Array(capacity),
  /** The first one that is equal; the number of all shingles if the text has it already. */
  same: new Uint32Array(count),
  textOf: new Uint32Array(count),
  /** Of a first one: the number of texts. */
  texts: new Uint32Array(count),
  /** Of a first one: the latest text. Then, where its list starts. */
  latest: new Uint32Array(count),
})
let notes = newNotes(0, 0)
const largest = 2 ** 20

/** Adds to `sizes` the distinct shingles of a partition, and writes their `holders` and `lists`. */
function indexPartition(index: ShingleIndex, partition: number): void {
  const begin = index.bounds[partition]
  const count = index.bounds[partition + 1] - begin
  const capacity = 2 ** Math.ceil(Math.log2(2 * count + 2))
  // The next partition uses the same memory again.
  if (notes.slots.length < capacity) notes = newNotes(capacity / 2, capacity)
  findEqual(index, begin, count, capacity)
  listTexts(index, begin, count)
  // One that holds much of a text, because it says the same again and again, must not keep so much memory.
  if (capacity > largest) notes = newNotes(0, 0)
}

/** Finds for each shingle the first one that is equal. */
function findEqual(index: ShingleIndex, begin: number, count: number, capacity: number): void {
  const { size, words, shingles, sizes } = index
  const { slots, same, textOf, texts, latest } = notes
  const exact = isExact(index)
  slots.fill(0, 0, capacity)
  let block = 0
  let end = placeOf(index, 1)
  let distinct = 0
  for (let i = 0; i < count; i++) {
    const hash = shingles[3 * (begin + i)]
    const check = shingles[3 * (begin + i) + 1]
    const at = shingles[3 * (begin + i) + 2]
    while (at >= end) {
      if (distinct > 0) Atomics.add(sizes, index.textOf[block], distinct)
      distinct = 0
      block++
      end = placeOf(index, block + 1)
    }
    const text = index.textOf[block]
    textOf[i] = text
    let slot = hash & (capacity - 1)
    let first = i
    for (; slots[slot] !== 0; slot = (slot + 1) & (capacity - 1)) {
      const other = 3 * (begin + slots[slot] - 1)
      if (shingles[other] !== hash || shingles[other + 1] !== check) continue
      // Other places in memory than these, so it takes time: only where it must be.
      if (!exact && !equalWords(words, shingles[other + 2], at, size)) continue
      first = slots[slot] - 1
      break
    }
    if (first === i) {
      slots[slot] = i + 1
      texts[i] = 0
    } else if (latest[first] === text) {
      same[i] = count
      continue
    }
    same[i] = first
    latest[first] = text
    texts[first]++
    distinct++
  }
  if (distinct > 0) Atomics.add(sizes, index.textOf[block], distinct)
}

function equalWords(words: Uint32Array, a: number, b: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (words[a + i] !== words[b + i]) return false
  return true
}

/** Lists the texts of those that are in two texts or more. The lists have room where the shingles are. */
function listTexts({ shingles, holders, lists }: ShingleIndex, begin: number, count: number): void {
  const { slots, same, textOf, texts, latest: start } = notes
  let next = begin
  for (let i = 0; i < count; i++) {
    const first = same[i]
    if (first === count || texts[first] === 1) continue
    if (first === i) {
      start[i] = next
      slots[i] = next
      next += texts[i]
    }
    holders[slots[first]++] = textOf[i]
    lists[shingles[3 * (begin + i) + 2]] = start[first] + 1
  }
}
