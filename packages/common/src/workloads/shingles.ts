/**
 * Texts as sets of shingles (all runs of `size` consecutive words), laid out for comparing every pair of texts.
 *
 * The sets lie one after the other in shared memory, as whole numbers, where every worker thread can read them. Sets of
 * strings would have to be copied to every worker, and comparing them takes more than ten times as long.
 */

import { indexTexts } from './shingle-lists.ts'
import { placeOf, sharedUint32 } from './word-numbers.ts'

export interface ShingleSets {
  /** The number of distinct shingles of each text. */
  sizes: Uint32Array<SharedArrayBuffer>
  /** Text `t` owns `shared` from index `offsets[t]` to below `offsets[t + 1]`. */
  offsets: Uint32Array<SharedArrayBuffer>
  /**
   * The shingles of each text that also occur in another text, as numbers below `vocabulary`. All others only count in
   * `sizes`, because they cannot be in any intersection.
   */
  shared: Uint32Array<SharedArrayBuffer>
  /** The number of different shingles that occur in two texts or more. */
  vocabulary: number
}

/**
 * Returns the words of a text, in lower case: runs of letters of any alphabet, with their marks and apostrophes. The same
 * word has one form, whether its accents are characters of their own or not. A text in a script without spaces, such as
 * Chinese, Japanese or Thai, is cut where the dictionaries of Intl.Segmenter end a word. A text of digits or signs has no
 * words.
 */
export function wordsOf(text: string): string[] {
  const plain = isAscii(text) ? text : withPlainWords(text)
  return plain.toLowerCase().match(/[a-z'\u0080-\uffff]+/g) ?? []
}

/**
 * Returns what `layOut` takes for a text: the text itself if it is ASCII, and otherwise UTF-8 with the same words.
 *
 * @param allocate provides memory for so many bytes
 */
export function contentOf(
  text: string,
  allocate: (length: number) => Uint8Array = (length) => new Uint8Array(length),
): string | Uint8Array {
  if (isAscii(text)) return text
  const plain = withPlainWords(text)
  const content = allocate(Buffer.byteLength(plain))
  Buffer.from(content.buffer).write(plain)
  return content
}

/** Whether each character takes one byte in UTF-8. Nothing else is as fast as counting them. */
export function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length
}

/**
 * Returns the same text with all that stands between two spaces and is not ASCII replaced by its words. Neither what is a
 * word nor how it is written depends on what stands beyond a space, or beyond a full stop in Chinese.
 */
function withPlainWords(text: string): string {
  const parts: string[] = []
  let done = 0
  for (;;) {
    foreign.lastIndex = done
    const at = foreign.exec(text)?.index
    if (at === undefined) break
    let from = at
    while (from > done && !ends.includes(text[from - 1])) from--
    end.lastIndex = at
    const to = (end.exec(text)?.index ?? text.length - 1) + 1
    parts.push(text.slice(done, from), foreignWords(text.slice(from, to)).join(' '))
    done = to
  }
  parts.push(text.slice(done))
  return parts.join(' ')
}

const foreign = /\P{ASCII}/gu
const ends = ' \t\r\n。'
const end = /[ \t\r\n。]/g

function foreignWords(text: string): string[] {
  // Capitals first, as Unicode folds cases: STRASSE and Straße are one word.
  const folded = text.normalize('NFKC').replaceAll(apostrophes, "'").replaceAll(invisible, '')
  const runs = folded.toUpperCase().toLowerCase().match(letters) ?? []
  return runs.flatMap((run) => (withoutSpaces.test(run) ? segmentsOf(run) : [run]))
}

const letters = /[\p{L}\p{M}']+/gu
/** Those of English, and the ʻokina of Hawaiian in all its forms. */
const apostrophes = /[‘’ʻʼ]/g
/**
 * Soft hyphens and joiners stand within words, and so do the optional marks of Hebrew and Arabic: vowels, accents for
 * chanting, and the long line. The space of no width does not: Khmer and Thai have it between words.
 */
const invisible =
  /(?!\u200b)[\p{Cf}\u0640\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u0652\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]/gu
const withoutSpaces =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]/u
// One language for all machines: the words must not depend on the reader's own.
const segmenter = new Intl.Segmenter('en', { granularity: 'word' })
const segmentsOf = (run: string) =>
  Array.from(segmenter.segment(run)).flatMap(({ segment, isWordLike }) => (isWordLike ? [segment] : []))

/** Returns the sets of shingles of `size` words. A text with fewer words has an empty set. */
export function shingleSets(texts: readonly string[], size: number): ShingleSets {
  const index = indexTexts(
    texts.map((text) => contentOf(text)),
    size,
  )
  const { sizes, textOf, lengths, lists, holders } = index
  const numbers = new Uint32Array(holders.length)
  const offsets = sharedUint32(texts.length + 1)
  const found: number[] = []
  let vocabulary = 0
  for (const [block, length] of lengths.entries()) {
    const first = placeOf(index, block)
    for (let at = first; at < first + length; at++) {
      const list = lists[at]
      if (list === 0) continue
      numbers[list - 1] ||= ++vocabulary
      found.push(numbers[list - 1] - 1)
    }
    offsets[textOf[block] + 1] = found.length
  }
  const shared = sharedUint32(found.length)
  shared.set(found)
  return { sizes, offsets, shared, vocabulary }
}
