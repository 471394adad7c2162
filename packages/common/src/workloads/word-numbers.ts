/**
 * Texts as lists of numbers, one for each word: equal words have equal numbers, and different words different ones. All
 * lists lie in shared memory, so that threads can number several texts at a time. No string is made for a word.
 */

export type SharedUint32 = Uint32Array<SharedArrayBuffer>

export interface NumberedTexts {
  /**
   * The texts, one after the other, each with a zero at its end. Words are runs of ASCII letters, apostrophes and bytes
   * that are not ASCII; whatever else stands between them does not matter.
   */
  bytes: Uint8Array<SharedArrayBuffer>
  /** Long texts are cut into blocks, between words. Text `t` has the blocks from `blocks[t]` to below `blocks[t + 1]`. */
  blocks: SharedUint32
  /** Block `b` lies in `bytes` from `starts[b]` to below `starts[b + 1]`. */
  starts: SharedUint32
  /** The text of each block. */
  textOf: SharedUint32
  /** A block's words are followed by so many words of the next block, so that no run of words is lost at its end. */
  overlap: number
  /**
   * The numbers of the words of block `b` begin at `placeOf(b)`. The operating system provides no memory for the gaps,
   * which nobody writes to.
   */
  words: SharedUint32
  /** The number of words of each block, with those of the next block. */
  lengths: SharedUint32
  /**
   * All words, as a hash table with open addressing. A slot holds the letters of a short word, or for a longer word 2³¹ +
   * the place in `bytes` where some thread saw it first, or 0 if it is free. The index of a word's slot is its number, so
   * threads have nothing to agree on but who takes a slot.
   */
  slots: Int32Array<SharedArrayBuffer>
  /** The number of slots that are taken. */
  taken: SharedUint32
}

/** Returns where the words of a block begin: words take two bytes or more, with what ends them. */
export function placeOf({ starts, overlap }: NumberedTexts, block: number): number {
  return (starts[block] >>> 1) + block * overlap
}

/**
 * Returns shared memory for a list of numbers, all 0 if it is new.
 *
 * @param used the same list of an earlier job, which is returned if it has this length. The garbage collector does not
 *   know how much shared memory it could free, so what is needed again and again must be used again
 */
export function sharedUint32(length: number, used?: SharedUint32): SharedUint32 {
  if (used?.length === length) return used
  return new Uint32Array(new SharedArrayBuffer(length * Uint32Array.BYTES_PER_ELEMENT))
}

/** For each byte: 0 if it ends words, 1 to 27 for a letter in either case and the apostrophe, itself if it is not ASCII. */
const letters = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte > 127 ? byte : "abcdefghijklmnopqrstuvwxyz'".indexOf(String.fromCharCode(byte).toLowerCase()) + 1,
)
/** So many letters of 5 bits fit into a slot. */
const shortWord = 6
const isLong = 1 << 31

export interface Layout {
  /** As in `NumberedTexts`; 0 by default. */
  overlap?: number
  /** Twice as many as there may be different words, a power of two. By experience there are some 7 √bytes words. */
  slots?: number
  /** About the length of a block. By default all texts make some 64 blocks, or one each. */
  blockBytes?: number
  /** Texts that nobody needs any more: their memory is used again where the lengths are the same. */
  used?: NumberedTexts
}

/**
 * Copies texts into shared memory. Their words have no numbers yet.
 *
 * @param contents strings of ASCII only, or UTF-8
 * @throws a RangeError for 2 GB or more, which slots cannot count
 */
export function layOut(contents: readonly (string | Uint8Array)[], options: Layout = {}): NumberedTexts {
  const total = contents.reduce((sum, { length }) => sum + length + 1, 0)
  if (total >= 2 ** 31) throw new RangeError(`texts: received ${total} bytes; accepts fewer than 2 GB`)
  const { overlap = 0, slots, blockBytes = Math.max(65_536, total / 64), used } = options
  const bytes = used?.bytes.length === total ? used.bytes : new Uint8Array(new SharedArrayBuffer(total))
  const buffer = Buffer.from(bytes.buffer)
  const blocks = [0]
  const starts = [0]
  const textOf: number[] = []
  for (const [text, content] of contents.entries()) {
    const start = starts[textOf.length]
    const end = start + content.length
    if (typeof content === 'string') buffer.write(content, start, 'latin1')
    else buffer.set(content, start)
    bytes[end] = 0
    for (let at = Math.ceil(start + blockBytes); at < end; at = Math.ceil(at + blockBytes)) {
      while (letters[bytes[at]] !== 0) at++
      if (at === end) break
      starts.push(at + 1)
      textOf.push(text)
    }
    starts.push(end + 1)
    textOf.push(text)
    blocks.push(textOf.length)
  }
  return {
    bytes,
    blocks: shared(blocks),
    starts: shared(starts),
    textOf: shared(textOf),
    overlap,
    words: sharedUint32((total >>> 1) + 1 + textOf.length * overlap, used?.words),
    lengths: sharedUint32(textOf.length),
    slots: new Int32Array(sharedUint32(slots ?? 2 ** Math.ceil(Math.log2(1024 + 14 * Math.sqrt(total)))).buffer),
    taken: sharedUint32(1),
  }
}

function shared(numbers: readonly number[]): SharedUint32 {
  const copy = sharedUint32(numbers.length)
  copy.set(numbers)
  return copy
}

/**
 * Numbers the words of a block. Several threads may do so at a time, with a block each.
 *
 * @returns whether there was room: false if half of the slots are taken. Then some of the words have no numbers
 */
export function numberWords(texts: NumberedTexts, block: number): boolean {
  const { bytes, blocks, starts, textOf, overlap, words, lengths, slots, taken } = texts
  const shift = 32 - Math.log2(slots.length)
  const mask = slots.length - 1
  const first = placeOf(texts, block)
  const blockEnd = starts[block + 1]
  const textEnd = starts[blocks[textOf[block] + 1]]
  let beyond = 0
  let word = first
  for (let at = starts[block]; at < textEnd; at++) {
    let letter = letters[bytes[at]]
    if (letter === 0) continue
    if (at >= blockEnd && beyond++ === overlap) break
    const start = at
    // Rotated by 5 bits for each letter: a number of its own for each short word, and a hash of the others.
    let key = 0
    let all = 0
    do {
      key = ((key << 5) | (key >>> 27)) ^ letter
      all |= letter
      letter = letters[bytes[++at]]
    } while (letter !== 0)

    const content = all < 32 && at - start <= shortWord ? key : isLong | start
    let slot = Math.imul(key, 0x9e3779b1) >>> shift
    for (;;) {
      let other = slots[slot]
      if (other === 0) {
        // It is free. If two threads try to take it, one of them gets what the other one has put there.
        other = Atomics.compareExchange(slots, slot, 0, content)
        if (other === 0) {
          if (2 * Atomics.add(taken, 0, 1) >= slots.length) return false
          break
        }
      }
      if (other === content) break
      if (other < 0 && content < 0 && sameWord(bytes, other ^ isLong, start)) break
      slot = (slot + 1) & mask
    }
    words[word++] = slot
  }
  lengths[block] = word - first
  return true
}

function sameWord(bytes: Uint8Array, a: number, b: number): boolean {
  for (;;) {
    const letter = letters[bytes[a++]]
    if (letter !== letters[bytes[b++]]) return false
    if (letter === 0) return true
  }
}
