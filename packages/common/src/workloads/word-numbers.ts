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
  /** Text `t` lies in `bytes` from `starts[t]` to below `starts[t + 1]`. */
  starts: SharedUint32
  /**
   * The numbers of the words of text `t` begin at `starts[t] >>> 1`: words take two bytes or more, with what ends them. The
   * operating system provides no memory for the gaps, which nobody writes to.
   */
  words: SharedUint32
  /** The number of words of each text. */
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

/**
 * Copies texts into shared memory. Their words have no numbers yet.
 *
 * @param contents strings of ASCII only, or UTF-8
 * @param slots twice as many as there may be different words, a power of two. By experience there are some 7 √bytes words
 * @param used texts that nobody needs any more: their memory is used again where the lengths are the same
 * @throws a RangeError for 2 GB or more, which slots cannot count
 */
export function layOut(
  contents: readonly (string | Uint8Array)[],
  { slots, used }: { slots?: number; used?: NumberedTexts } = {},
): NumberedTexts {
  const starts = sharedUint32(contents.length + 1, used?.starts)
  let total = 0
  for (const [text, { length }] of contents.entries()) {
    starts[text] = total
    total += length + 1
  }
  if (total >= 2 ** 31) throw new RangeError(`texts: received ${total} bytes; accepts fewer than 2 GB`)
  starts[contents.length] = total
  const bytes = used?.bytes.length === total ? used.bytes : new Uint8Array(new SharedArrayBuffer(total))
  const buffer = Buffer.from(bytes.buffer)
  for (const [text, content] of contents.entries()) {
    if (typeof content === 'string') buffer.write(content, starts[text], 'latin1')
    else buffer.set(content, starts[text])
    bytes[starts[text + 1] - 1] = 0
  }
  return {
    bytes,
    starts,
    words: sharedUint32((total >>> 1) + 1, used?.words),
    lengths: sharedUint32(contents.length, used?.lengths),
    slots: new Int32Array(sharedUint32(slots ?? 2 ** Math.ceil(Math.log2(1024 + 14 * Math.sqrt(total)))).buffer),
    taken: sharedUint32(1),
  }
}

/**
 * Numbers the words of a text. Several threads may do so at a time, with a text each.
 *
 * @returns whether there was room: false if half of the slots are taken. Then some of the words have no numbers
 */
export function numberWords({ bytes, starts, words, lengths, slots, taken }: NumberedTexts, text: number): boolean {
  const shift = 32 - Math.log2(slots.length)
  const mask = slots.length - 1
  const first = starts[text] >>> 1
  const end = starts[text + 1]
  let word = first
  for (let at = starts[text]; at < end; at++) {
    let letter = letters[bytes[at]]
    if (letter === 0) continue
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
  lengths[text] = word - first
  return true
}

function sameWord(bytes: Uint8Array, a: number, b: number): boolean {
  for (;;) {
    const letter = letters[bytes[a++]]
    if (letter !== letters[bytes[b++]]) return false
    if (letter === 0) return true
  }
}
