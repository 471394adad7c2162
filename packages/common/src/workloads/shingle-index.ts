/**
 * An inverted index of shingles, the runs of `size` consecutive words: for each shingle that occurs in two texts or more,
 * the list of the texts that contain it.
 *
 * Threads build it together in four phases, each of which begins when the one before has ended. Equal shingles have equal
 * hashes, so they end up in the same partition; one thread can index a partition without asking the others. A partition is
 * also small enough for a core's cache, which is why one thread alone works in the same way.
 *
 * 1. `countShingles`, in pieces (some blocks of texts each): number the words, and count the shingles for each partition.
 * 2. `placePartitions`: from the counts, compute where each piece writes its shingles of each partition.
 * 3. `writeShingles`, in the same pieces: write the hash and the place of every shingle into its partition.
 * 4. `indexShingles`, in partitions: find equal shingles, and list the texts of each (shingle-lists.ts).
 */
import {
  type Layout,
  layOut,
  type NumberedTexts,
  numberWords,
  placeOf,
  type SharedUint32,
  sharedUint32,
} from './word-numbers.ts'

export interface ShingleIndex extends NumberedTexts {
  /** Words in a shingle. */
  size: number
  /** Piece `p` has the blocks from `pieces[p]` to below `pieces[p + 1]`. */
  pieces: number[]
  /** The number of partitions, a power of two. */
  partitions: number
  /** For each piece, and in it for each partition: the number of shingles, and then where to write the next one. */
  cursors: SharedUint32
  /** Three numbers for each shingle, a partition after the other: its hash, its check, and where in `words` it begins. */
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

export interface IndexOptions extends Omit<Layout, 'overlap'> {
  /** By default as many that a partition fits into a core's cache. A power of two. */
  partitions?: number
  /** An index that nobody needs any more, whose memory is used again. */
  used?: ShingleIndex
}

/** Returns an index in which nothing is indexed yet, of contents as `layOut` takes them. */
export function newIndex(
  contents: readonly (string | Uint8Array)[],
  size: number,
  options: IndexOptions = {},
): ShingleIndex {
  const texts = layOut(contents, { ...options, overlap: size - 1 })
  const { used } = options
  const { starts } = texts
  const bytes = texts.bytes.length
  const pieces = [0]
  for (let end = 1; end < starts.length; end++) {
    if (starts[end] >= (pieces.length * bytes) / 64 || end === starts.length - 1) pieces.push(end)
  }
  // English has a word for every six bytes.
  const partitions =
    options.partitions ?? 2 ** Math.max(0, Math.min(12, Math.round(Math.log2(bytes / 6 / partitionSize))))
  const most = (bytes >>> 1) + 1
  return {
    ...texts,
    size,
    pieces,
    partitions,
    cursors: sharedUint32(partitions * pieces.length, used?.cursors).fill(0),
    shingles: sharedUint32(3 * most, used?.shingles),
    bounds: sharedUint32(partitions + 1, used?.bounds),
    sizes: sharedUint32(contents.length, used?.sizes).fill(0),
    holders: sharedUint32(most, used?.holders),
    lists: sharedUint32(texts.words.length, used?.lists),
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

/** The numbers of all pieces. */
export const piecesOf = ({ pieces }: ShingleIndex) => Array.from({ length: pieces.length - 1 }, (_, piece) => piece)

/** The numbers of all partitions. */
export const partitionsOf = ({ partitions }: ShingleIndex) => Array.from({ length: partitions }, (_, at) => at)

/** Phase 1. Returns false if the table of words is too small: then begin anew, `withMoreSlots`. */
export function countShingles(index: ShingleIndex, pieces: Iterable<number>): boolean {
  for (const piece of pieces) {
    for (let block = index.pieces[piece]; block < index.pieces[piece + 1]; block++) {
      if (!numberWords(index, block)) return false
      countBlock(index, piece, block)
    }
  }
  return true
}

function countBlock(index: ShingleIndex, piece: number, block: number): void {
  const { partitions, cursors } = index
  const { count, hashes } = hashShingles(index, block)
  for (let i = 0; i < count; i++) cursors[piece * partitions + partitionOf(hashes[i], partitions)]++
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
    for (let block = index.pieces[piece]; block < index.pieces[piece + 1]; block++) writeBlock(index, piece, block)
  }
}

function writeBlock(index: ShingleIndex, piece: number, block: number): void {
  const { lengths, partitions, cursors, shingles, lists } = index
  const { count, hashes, checks } = hashShingles(index, block)
  const first = placeOf(index, block)
  lists.fill(0, first, first + lengths[block])
  for (let i = 0; i < count; i++) {
    const at = 3 * cursors[piece * partitions + partitionOf(hashes[i], partitions)]++
    shingles[at] = hashes[i]
    shingles[at + 1] = checks[i]
    shingles[at + 2] = first + i
  }
}

/** The highest bits of the hash. `indexShingles` uses the lowest ones. */
function partitionOf(hash: number, partitions: number): number {
  return Math.imul(hash >>> 16, partitions) >>> 16
}

let hashes = new Uint32Array(0)
let checks = new Uint32Array(0)

/**
 * Returns the hash and the check of each shingle of a block. Both lie in memory that the next call uses again.
 *
 * Together they hold the numbers of all words if these fit into 64 bits: `high` is the check, and `low`, mixed with it, the
 * hash. Otherwise the words are the digits of a number in a large base, and there is no check.
 */
function hashShingles(index: ShingleIndex, block: number) {
  const { words, lengths, size, slots } = index
  const first = placeOf(index, block)
  const count = Math.max(0, lengths[block] - size + 1)
  if (hashes.length < count) {
    hashes = new Uint32Array(2 * count)
    checks = new Uint32Array(2 * count)
  }
  const exact = isExact(index)
  const bits = Math.log2(slots.length)
  const lowBits = onesOf(size * bits)
  const highBits = onesOf(size * bits - 32)
  const base = 0x2c1b3c6d
  let highest = 1
  for (let i = 1; i < size; i++) highest = Math.imul(highest, base)
  let [key, high, low] = [0, 0, 0]
  for (let i = 1 - size; i < count; i++) {
    // Each step adds a word, and takes the earliest away.
    const word = words[first + i + size - 1]
    if (exact) {
      high = ((high << bits) | (low >>> (32 - bits))) & highBits
      low = ((low << bits) | word) & lowBits
      key = low ^ Math.imul(high, base)
    } else {
      if (i > 0) key = (key - Math.imul(highest, words[first + i - 1])) | 0
      key = (Math.imul(key, base) + word) | 0
    }
    if (i < 0) continue
    const mixed = Math.imul(key ^ (key >>> 15), 0x85ebca6b)
    hashes[i] = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    checks[i] = high
  }
  return { count, hashes, checks }
}

/** Returns 32 bits, of which so many are 1, from the lowest one. */
function onesOf(bits: number): number {
  return (2 ** Math.max(0, Math.min(32, bits)) - 1) | 0
}

/** Whether shingles with the same hash and the same check are equal: mixing can be undone, so they have the same words. */
export function isExact({ size, slots }: ShingleIndex): boolean {
  return size * Math.log2(slots.length) <= 64
}
