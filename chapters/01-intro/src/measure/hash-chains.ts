/**
 * The best program on one thread for the same work: hash chains, which compressors of the LZ77 family use to find
 * repeats. Two occurrences of a passage begin with the same three characters, so only such places are compared.
 */
import type { Range } from '@repo/common/async/ranges'
import { longestRepeats, type Pages, pageLength } from './pages.ts'

/** Fills in the results of the pages in a range: the same as those of `longestRepeats`. */
export function longestRepeatsByChains(pages: Pages, { from, to }: Range): void {
  const chains = { heads: new Int16Array(4_096), previous: new Int16Array(pageLength) }
  for (let page = from; page < to; page++) {
    // Three characters may occur once only. That does not happen on a page of English.
    if (!findByChains(pages, page, chains)) longestRepeats(pages, { from: page, to: page + 1 })
  }
}

interface Chains {
  /** The last place where three characters with this hash began; -1 for none. */
  heads: Int16Array
  /** For each place, the one before it with the same hash. */
  previous: Int16Array
}

/** Fills in the result of one page. Returns whether a passage of at least three characters occurs twice on it. */
function findByChains({ text, lengths, positions }: Pages, page: number, { heads, previous }: Chains): boolean {
  const start = page * pageLength
  let [length, first, second] = [3, pageLength, -1]
  heads.fill(-1)
  // #region chains
  for (let i = 0; i + length <= pageLength; i++) {
    const here = start + i
    const three = text[here] | (text[here + 1] << 8) | (text[here + 2] << 16)
    // Fibonacci hashing to 12 bits.
    const hash = Math.imul(three, 0x9e37_79b1) >>> 20
    for (let earlier = heads[hash]; earlier >= 0; earlier = previous[earlier]) {
      const there = start + earlier
      // Most places differ where the longest passage so far ends.
      if (text[there + length - 1] !== text[here + length - 1]) continue
      let same = 0
      while (i + same < pageLength && text[there + same] === text[here + same]) same++
      // Of several passages the one that begins first on the page; of its places the last.
      if (same > length || (same === length && earlier <= first)) [length, first, second] = [same, earlier, i]
    }
    previous[i] = heads[hash]
    heads[hash] = i
  }
  // #endregion chains
  lengths[page] = length
  positions[page] = start + second
  return second >= 0
}
