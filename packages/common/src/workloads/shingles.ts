/**
 * Texts as sets of shingles (all runs of `size` consecutive words), laid out for comparing every pair of texts.
 *
 * The sets lie one after the other in shared memory, as whole numbers, where every worker thread can read them. Sets of
 * strings would have to be copied to every worker, and comparing them takes more than ten times as long.
 */

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
  // Most English texts, in a fraction of the time.
  if (isAscii.test(text)) return text.toLowerCase().match(/[a-z']+/g) ?? []
  // Capitals first, as Unicode folds cases: STRASSE and Straße are one word.
  const folded = text.normalize('NFKC').replaceAll(apostrophes, "'").replaceAll(invisible, '')
  const runs = folded.toUpperCase().toLowerCase().match(letters) ?? []
  return runs.flatMap((run) => (withoutSpaces.test(run) ? segmentsOf(run) : [run]))
}

const isAscii = /^\p{ASCII}*$/u
const letters = /[\p{L}\p{M}']+/gu
/** Those of English, and the ʻokina of Hawaiian in all its forms. */
const apostrophes = /[‘’ʻʼ]/g
/** Soft hyphens and joiners stand within words, and so do the optional marks of Arabic: its vowels and its long line. */
const invisible = /[\p{Cf}\u0640\u064b-\u0652\u0670]/gu
const withoutSpaces =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]/u
// One language for all machines: the words must not depend on the reader's own.
const segmenter = new Intl.Segmenter('en', { granularity: 'word' })
const segmentsOf = (run: string) =>
  Array.from(segmenter.segment(run)).flatMap(({ segment, isWordLike }) => (isWordLike ? [segment] : []))

/** Returns the sets of shingles of `size` words. A text with fewer words has an empty set. */
export function shingleSets(texts: readonly string[], size: number): ShingleSets {
  const keys = shingleKeys(texts, size).map(sortedDistinct)
  const shared = repeated(concatenated(keys).sort())
  const ranks = keys.map((ofText) => ranksIn(shared, ofText))

  const sets = {
    sizes: sharedUint32(keys.length),
    offsets: sharedUint32(keys.length + 1),
    shared: sharedUint32(ranks.reduce((sum, ofText) => sum + ofText.length, 0)),
    vocabulary: shared.length,
  }
  for (const [text, ofText] of ranks.entries()) {
    const start = sets.offsets[text] ?? 0
    sets.sizes[text] = keys[text]?.length ?? 0
    sets.shared.set(ofText, start)
    sets.offsets[text + 1] = start + ofText.length
  }
  return sets
}

/**
 * Returns the shingle at each position of each text as a number; equal shingles have equal numbers. Each word has a
 * number below V, the number of different words, and these are the digits of the shingle's number in base V. When a
 * double would no longer be exact, ranks replace the numbers.
 */
function shingleKeys(texts: readonly string[], size: number): Float64Array[] {
  const ids = new Map<string, number>()
  const numbered = texts.map((text) =>
    Float64Array.from(wordsOf(text), (word) => {
      const id = ids.get(word) ?? ids.size
      if (id === ids.size) ids.set(word, id)
      return id
    }),
  )
  const base = ids.size
  let keys = numbered.map((words) => words.slice(0, Math.max(0, words.length - size + 1)))
  let bound = base
  for (let at = 1; at < size; at++) {
    if (bound * base > Number.MAX_SAFE_INTEGER) {
      const all = sortedDistinct(concatenated(keys))
      keys = keys.map((ofText) => ofText.map((key) => rankIn(all, key)))
      bound = all.length
    }
    for (const [text, ofText] of keys.entries()) {
      const words = numbered[text] as Float64Array
      for (let i = 0; i < ofText.length; i++) ofText[i] = ofText[i] * base + words[i + at]
    }
    bound *= base
  }
  return keys
}

function sortedDistinct(keys: Float64Array): Float64Array {
  const sorted = keys.slice().sort()
  return sorted.filter((key, at) => at === 0 || key !== sorted[at - 1])
}

/** Returns the values that occur more than once in a sorted list, once each. */
function repeated(sorted: Float64Array): Float64Array {
  return sorted.filter((key, at) => key === sorted[at + 1] && key !== sorted[at - 1])
}

/** Returns the index of a value in a sorted list of distinct values, or the index where it would be. */
function rankIn(sorted: Float64Array, key: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle] < key) low = middle + 1
    else high = middle
  }
  return low
}

/** Returns the ranks, in `sorted`, of those keys of a text that occur there. */
function ranksIn(sorted: Float64Array, keys: Float64Array): Uint32Array {
  const ranks = new Uint32Array(keys.length)
  let found = 0
  for (const key of keys) {
    const rank = rankIn(sorted, key)
    if (sorted[rank] === key) ranks[found++] = rank
  }
  return ranks.subarray(0, found)
}

function concatenated(lists: Float64Array[]): Float64Array {
  const all = new Float64Array(lists.reduce((sum, list) => sum + list.length, 0))
  let at = 0
  for (const list of lists) {
    all.set(list, at)
    at += list.length
  }
  return all
}

function sharedUint32(length: number): Uint32Array<SharedArrayBuffer> {
  return new Uint32Array(new SharedArrayBuffer(length * Uint32Array.BYTES_PER_ELEMENT))
}
