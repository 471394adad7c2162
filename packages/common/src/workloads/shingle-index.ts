/**
 * An inverted index of shingles, the runs of `size` consecutive words: for each shingle that occurs in two texts or more,
 * the list of the texts that contain it.
 *
 * Threads build it together in four phases, each of which begins when the one before has ended. Equal shingles have equal
 * hashes, so they end up in the same partition; one thread can index a partition without asking the others. A partition is
 * also small enough for a core's cache, which is why one thread alone works in the same way.
 *
 * 1. `countShingles`, in pieces (some texts each): number the words, and count the shingles for each partition.
 * 2. `placePartitions`: from the counts, compute where each piece writes its shingles of each partition.
 * 3. `writeShingles`, in the same pieces: write the hash and the place of every shingle into its partition.
 * 4. `indexShingles`, in partitions: find equal shingles, and list the texts of each.
 */
import { layOut, type NumberedTexts, numberWords, type SharedUint32, sharedUint32 } from './word-numbers.ts'

export interface ShingleIndex extends NumberedTexts {
  /** Words in a shingle. */
  size: number
  /** Piece `p` has the texts from `pieces[p]` to below `pieces[p + 1]`. */
  pieces: number[]
  /** The number of partitions, a power of two. */
  partitions: number
  /** For each piece, and in it for each partition: the number of shingles, and then where to write the next one. */
  cursors: SharedUint32
  /** Two numbers for each shingle, a partition after the other: its hash, and where in `words` it begins. */
  shingles: SharedUint32
  /** Partition `p` has the shingles from `bounds[p]` to below `bounds[p + 1]`. */
  bounds: SharedUint32
  /** The number of distinct shingles of each text. */
  sizes: SharedUint32
  /** The texts that contain a shingle, in ascending order, then those of the next shingle. */
  holders: SharedUint32
  /**
   * For each place in `words`: 1 + where in `holders` the list of the shingle that begins there has its start. 0 for a
   * shingle of this text alone, and wherever the text has the same one before.
   */
  lists: SharedUint32
}

/** Shingles in a partition, about: what is known of them fits into the cache of a core. */
const partitionSize = 8_192

export interface IndexOptions {
  /** By default as many that a partition fits into a core's cache. A power of two. */
  partitions?: number
  /** As `layOut` takes it. */
  slots?: number
  /** An index that nobody needs any more, whose memory is used again. */
  used?: ShingleIndex
}

/** Returns an index in which nothing is indexed yet, of contents as `layOut` takes them. */
export function newIndex(
  contents: readonly (string | Uint8Array)[],
  size: number,
  { slots, partitions, used }: IndexOptions = {},
): ShingleIndex {
  const texts = layOut(contents, { slots, used })
  const bytes = texts.bytes.length
  const pieces = [0]
  for (let text = 0; text < contents.length; text++) {
    if (texts.starts[text + 1] >= (pieces.length * bytes) / 64 || text === contents.length - 1) pieces.push(text + 1)
  }
  // English has a word for every six bytes.
  const parts = partitions ?? 2 ** Math.max(0, Math.min(12, Math.round(Math.log2(bytes / 6 / partitionSize))))
  const most = texts.words.length
  return {
    ...texts,
    size,
    pieces,
    partitions: parts,
    cursors: sharedUint32(parts * pieces.length, used?.cursors).fill(0),
    shingles: sharedUint32(2 * most, used?.shingles),
    bounds: sharedUint32(parts + 1, used?.bounds),
    sizes: sharedUint32(contents.length, used?.sizes).fill(0),
    holders: sharedUint32(most, used?.holders),
    lists: sharedUint32(most, used?.lists),
  }
}

/** Returns the same index as `newIndex`, with a larger table of words. */
export function withMoreSlots(index: ShingleIndex): ShingleIndex {
  const { slots, cursors } = index
  return {
    ...index,
    slots: new Int32Array(sharedUint32(8 * slots.length).buffer),
    taken: sharedUint32(1),
    cursors: sharedUint32(cursors.length),
  }
}

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

/** The numbers of all pieces. */
export const piecesOf = ({ pieces }: ShingleIndex) => Array.from({ length: pieces.length - 1 }, (_, piece) => piece)

/** The numbers of all partitions. */
export const partitionsOf = ({ partitions }: ShingleIndex) => Array.from({ length: partitions }, (_, at) => at)

/** Phase 1. Returns false if the table of words is too small: then begin anew, `withMoreSlots`. */
export function countShingles(index: ShingleIndex, pieces: Iterable<number>): boolean {
  for (const piece of pieces) {
    for (let text = index.pieces[piece]; text < index.pieces[piece + 1]; text++) {
      if (!numberWords(index, text)) return false
      countText(index, piece, text)
    }
  }
  return true
}

function countText(index: ShingleIndex, piece: number, text: number): void {
  const { partitions, cursors } = index
  const hashes = hashShingles(index, text)
  for (let i = 0; i < hashes.length; i++) cursors[piece * partitions + partitionOf(hashes[i], partitions)]++
}

/** Phase 2. */
export function placePartitions({ pieces, partitions, cursors, bounds }: ShingleIndex): void {
  let next = 0
  for (let partition = 0; partition < partitions; partition++) {
    for (let at = partition; at < (pieces.length - 1) * partitions; at += partitions) {
      const count = cursors[at]
      cursors[at] = next
      next += count
    }
    bounds[partition + 1] = next
  }
}

/** Phase 3. The shingles of a partition stay in the order of the texts. */
export function writeShingles(index: ShingleIndex, pieces: Iterable<number>): void {
  for (const piece of pieces) {
    for (let text = index.pieces[piece]; text < index.pieces[piece + 1]; text++) writeText(index, piece, text)
  }
}

function writeText(index: ShingleIndex, piece: number, text: number): void {
  const { starts, lengths, partitions, cursors, shingles, lists } = index
  const hashes = hashShingles(index, text)
  const first = starts[text] >>> 1
  lists.fill(0, first, first + lengths[text])
  for (let i = 0; i < hashes.length; i++) {
    const at = cursors[piece * partitions + partitionOf(hashes[i], partitions)]++
    shingles[2 * at] = hashes[i]
    shingles[2 * at + 1] = first + i
  }
}

/** The highest bits of the hash. `indexShingles` uses the lowest ones. */
function partitionOf(hash: number, partitions: number): number {
  return Math.imul(hash >>> 16, partitions) >>> 16
}

let memory = new Uint32Array(0)

/** Returns the hash of each shingle of a text, in memory that the next call uses again. */
function hashShingles({ words, starts, lengths, size }: ShingleIndex, text: number): Uint32Array {
  const first = starts[text] >>> 1
  const count = Math.max(0, lengths[text] - size + 1)
  if (memory.length < count) memory = new Uint32Array(2 * count)
  const hashes = memory.subarray(0, count)
  // The words are the digits of a number in a large base; each step adds one, and takes the highest away.
  const base = 0x2c1b3c6d
  let highest = 1
  for (let i = 1; i < size; i++) highest = Math.imul(highest, base)
  let digits = 0
  for (let i = 0; i < size - 1; i++) digits = (Math.imul(digits, base) + words[first + i]) | 0
  for (let i = 0; i < count; i++) {
    digits = (Math.imul(digits, base) + words[first + i + size - 1]) | 0
    const mixed = Math.imul(digits ^ (digits >>> 15), 0x85ebca6b)
    hashes[i] = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    digits = (digits - Math.imul(highest, words[first + i])) | 0
  }
  return hashes
}

/** Phase 4. */
export function indexShingles(index: ShingleIndex, partitions: Iterable<number>): void {
  for (const partition of partitions) indexPartition(index, partition)
}

/** What is known of the shingles of a partition, from its first one on. */
const newNotes = (capacity: number) => ({
  /** A hash table: 1 + the number of a shingle that is the first of its kind. Then, where its list goes on. */
  slots: new Uint32Array(capacity),
  /** The first one that is equal. */
  same: new Uint32Array(capacity),
  textOf: new Uint32Array(capacity),
  /** Of a first one: the number of texts. */
  texts: new Uint32Array(capacity),
  /** Of a first one: the latest text. Then, where its list starts. */
  latest: new Uint32Array(capacity),
})
let notes = newNotes(0)

function indexPartition(index: ShingleIndex, partition: number): void {
  const { size, words, starts, bounds, shingles, sizes, holders, lists } = index
  const begin = bounds[partition]
  const count = bounds[partition + 1] - begin
  const capacity = 2 ** Math.ceil(Math.log2(2 * count + 2))
  // The next partition uses the same memory again.
  if (notes.slots.length < capacity) notes = newNotes(capacity)
  const { slots, same, textOf, texts, latest } = notes
  // Find for each shingle the first one that is equal. An equal hash is a hint: the words decide.
  slots.fill(0, 0, capacity)
  let text = 0
  let end = starts[1] >>> 1
  let distinct = 0
  for (let i = 0; i < count; i++) {
    const hash = shingles[2 * (begin + i)]
    const at = shingles[2 * (begin + i) + 1]
    while (at >= end) {
      if (distinct > 0) Atomics.add(sizes, text, distinct)
      distinct = 0
      text++
      end = starts[text + 1] >>> 1
    }
    textOf[i] = text
    let slot = hash & (capacity - 1)
    let first = i
    for (; slots[slot] !== 0; slot = (slot + 1) & (capacity - 1)) {
      const other = slots[slot] - 1
      if (shingles[2 * (begin + other)] !== hash) continue
      if (!equalWords(words, shingles[2 * (begin + other) + 1], at, size)) continue
      first = other
      break
    }
    if (first === i) {
      slots[slot] = i + 1
      texts[i] = 0
    } else if (latest[first] === text) {
      // The text has it already.
      same[i] = count
      continue
    }
    same[i] = first
    latest[first] = text
    texts[first]++
    distinct++
  }
  if (distinct > 0) Atomics.add(sizes, text, distinct)

  // List the texts of those that are in two texts or more. The lists have room where the shingles are.
  let next = begin
  const start = latest
  for (let i = 0; i < count; i++) {
    const first = same[i]
    if (first === count || texts[first] === 1) continue
    if (first === i) {
      start[i] = next
      slots[i] = next
      next += texts[i]
    }
    holders[slots[first]++] = textOf[i]
    lists[shingles[2 * (begin + i) + 1]] = start[first] + 1
  }
}

function equalWords(words: Uint32Array, a: number, b: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (words[a + i] !== words[b + i]) return false
  return true
}
