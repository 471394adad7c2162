/**
 * Work that can be divided exactly: finding the longest passage that occurs twice, on every page of a text. Each page
 * takes the same number of steps, so a share of the pages is the same share of the time.
 */
import type { Range } from '@repo/common/async/ranges'
import { largest } from '@repo/common/extremes'

/** Characters on a page. A page takes half the square of this in steps. */
export const pageLength = 1_024

export interface Pages {
  /** The pages one after the other, one byte per character. */
  text: Uint8Array<SharedArrayBuffer>
  /** For each page, the length of the longest passage that occurs twice on it. */
  lengths: Uint16Array<SharedArrayBuffer>
  /** For each page, the place in `text` where that passage begins for the second time. */
  positions: Uint32Array<SharedArrayBuffer>
}

/**
 * The first `count` pages of the texts, with each run of white space reduced to one space and non-ASCII characters left
 * out. Throws a RangeError if the texts fill fewer pages.
 */
export function pagesOf(texts: Iterable<string>, count: number): Pages {
  const bytes = new Uint8Array(new SharedArrayBuffer(count * pageLength))
  let filled = 0
  for (const text of texts) {
    const plain = text.replaceAll(/\s+/g, ' ').replaceAll(/[^ -~]/g, '')
    const fitting = plain.slice(0, bytes.length - filled)
    bytes.set(Buffer.from(fitting, 'latin1'), filled)
    filled += fitting.length
    if (filled === bytes.length) break
  }
  if (filled < bytes.length) throw new RangeError(`${filled} characters do not fill ${count} pages of ${pageLength}`)
  return {
    text: bytes,
    lengths: new Uint16Array(new SharedArrayBuffer(2 * count)),
    positions: new Uint32Array(new SharedArrayBuffer(4 * count)),
  }
}

/** Fills in the results of the pages in a range. */
export function longestRepeats(pages: Pages, { from, to }: Range): void {
  const agreeing = new Uint16Array(pageLength + 1)
  for (let page = from; page < to; page++) findLongestRepeat(pages, page, agreeing.fill(0))
}

/**
 * Fills in the result of one page from a table: for any two positions on the page, how many characters before them
 * agree. Only one row of it, `agreeing`, is kept at a time. The two occurrences of a passage may overlap.
 */
function findLongestRepeat({ text, lengths, positions }: Pages, page: number, agreeing: Uint16Array): void {
  const start = page * pageLength
  const longest = { length: 0, position: start }
  for (let i = 0; i < pageLength; i++) nextRow(text, start, i, agreeing, longest)
  lengths[page] = longest.length
  positions[page] = longest.position
}

/**
 * One row of the table. A short function that is called a thousand times a page is compiled soon and once. A long loop
 * would be compiled while it runs, by an engine that does not know yet what follows the loop; that code would be thrown
 * away at the loop's end, page after page.
 */
// #region row
function nextRow(text: Uint8Array, start: number, i: number, agreeing: Uint16Array, longest: Repeat): void {
  const character = text[start + i]
  let { length: most } = longest
  // From the right, so that the value to the left is still the previous row's.
  for (let j = pageLength - 1; j > i; j--) {
    const length = character === text[start + j] ? agreeing[j] + 1 : 0
    agreeing[j + 1] = length
    if (length > most) {
      most = length
      longest.length = length
      longest.position = start + j - length + 1
    }
  }
}
// #endregion row

interface Repeat {
  length: number
  position: number
}

/** The longest passage of all, and the page on which it occurs twice; the first one of several. */
export function longestRepeat({ text, lengths, positions }: Pages): { page: number; passage: string } {
  const page = lengths.indexOf(largest(lengths))
  const position = positions[page] ?? 0
  const passage = Buffer.from(text.slice(position, position + (lengths[page] ?? 0))).toString('latin1')
  return { page, passage }
}
