/**
 * Work with a known serial part: for every page of a text the longest passage that stands in it twice. Each page takes the
 * same number of steps, so a share of the pages is the same share of the time.
 */

import type { Range } from '@repo/common/async/ranges'

/** Characters on a page. The steps for one page are half the square of this. */
export const pageLength = 1_024

export interface Pages {
  /** The pages one after the other, one byte for each character. */
  text: Uint8Array<SharedArrayBuffer>
  /** For each page the length of the longest passage that stands in it twice. */
  lengths: Uint16Array<SharedArrayBuffer>
  /** For each page where that passage begins in `text` for the second time. */
  positions: Uint32Array<SharedArrayBuffer>
}

/**
 * The first `count` pages of the texts, with white space made single and other than ASCII characters left out. Throws a
 * RangeError when the texts fill fewer.
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

/** Fills in the results of some pages. */
export function longestRepeats(pages: Pages, { from, to }: Range): void {
  const agreeing = new Uint16Array(pageLength + 1)
  for (let page = from; page < to; page++) findLongestRepeat(pages, page, agreeing.fill(0))
}

/**
 * Fills in the result of one page: a table of how long the characters before any two positions of the page agree, of
 * which only one row, `agreeing`, is kept at a time. Two places of a passage may overlap.
 */
function findLongestRepeat({ text, lengths, positions }: Pages, page: number, agreeing: Uint16Array): void {
  const start = page * pageLength
  const longest = { length: 0, position: start }
  for (let i = 0; i < pageLength; i++) nextRow(text, start, i, agreeing, longest)
  lengths[page] = longest.length
  positions[page] = longest.position
}

/**
 * One row of the table. A function of its own that is called a thousand times a page, so that the engine compiles it
 * soon and for good: a longer loop is replaced while it runs, by code that knows nothing yet of what comes after it and
 * is thrown away there, page after page.
 */
function nextRow(text: Uint8Array, start: number, i: number, agreeing: Uint16Array, longest: Repeat): void {
  const character = text[start + i]
  let { length: most } = longest
  // From the right, so that the value one to the left is still that of the row before.
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

interface Repeat {
  length: number
  position: number
}

/** The longest passage of all pages and the page it stands on twice; the first one of several. */
export function longestRepeat({ text, lengths, positions }: Pages): { page: number; passage: string } {
  const page = lengths.indexOf(Math.max(...lengths))
  const position = positions[page] ?? 0
  const passage = Buffer.from(text.slice(position, position + (lengths[page] ?? 0))).toString('latin1')
  return { page, passage }
}
