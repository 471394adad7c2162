/**
 * Texts as sets of shingles (all runs of `size` consecutive words), laid out for comparing every pair of them.
 *
 * The sets lie one after the other in shared memory, as whole numbers: a worker thread reads them where they are. Sets of
 * strings would have to be copied to every worker, and comparing them takes more than ten times as long.
 */

export interface ShingleSets {
  /** Distinct shingles of each text. */
  sizes: Uint32Array<SharedArrayBuffer>
  /** Text `t` owns `shared[offsets[t]]` up to, and without, `shared[offsets[t + 1]]`. */
  offsets: Uint32Array<SharedArrayBuffer>
  /**
   * The shingles of each text that also stand in another text, as numbers below `vocabulary`. All others count in
   * `sizes` only: they cannot be in any intersection.
   */
  shared: Uint32Array<SharedArrayBuffer>
  /** How many different shingles stand in two texts or more. */
  vocabulary: number
}

/** The words of a text: lower-cased runs of letters and apostrophes. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z']+/g) ?? []
}

/** The sets of shingles of `size` words of each text; a text with fewer words has an empty one. */
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
 * For each text the shingles at its positions, as numbers: equal numbers stand for equal words. The words' own numbers
 * are the digits of a number in base V, the count of different words; where it would no longer be exact in a double, the
 * numbers so far are replaced by their ranks.
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

/** The values that stand more than once in a sorted list, once each. */
function repeated(sorted: Float64Array): Float64Array {
  return sorted.filter((key, at) => key === sorted[at + 1] && key !== sorted[at - 1])
}

/** Where a value stands in a sorted list of distinct ones, or where it would. */
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

/** The ranks of those of a text's sorted keys that stand in `sorted`. */
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
