import { divide } from '@repo/common/async/ranges'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { longestRepeat, longestRepeats, pageLength, pagesOf } from '../../src/measure/pages.ts'

/** By searching for every passage of the page behind the place where it begins. */
function longestRepeatIn(page: string): number {
  let longest = 0
  for (let begin = 0; begin < page.length; begin++) {
    while (page.indexOf(page.slice(begin, begin + longest + 1), begin + 1) > 0 && begin + longest < page.length)
      longest++
  }
  return longest
}

/** Texts of a page from few different letters, so that passages do repeat. */
const page = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' '), minLength: pageLength, maxLength: pageLength })

describe('the longest repeats', () => {
  it('are those found by searching', () => {
    fc.assert(
      fc.property(page, (text) => {
        const padded = text.replaceAll(' ', '_')
        const pages = pagesOf([padded], 1)
        longestRepeats(pages, { from: 0, to: 1 })
        expect(pages.lengths[0]).toBe(longestRepeatIn(padded))
        const { passage } = longestRepeat(pages)
        expect(padded.indexOf(passage)).toBeLessThan(padded.lastIndexOf(passage))
      }),
      { numRuns: 20 },
    )
  })

  it('are the same however the pages are divided', () => {
    const text = Array.from({ length: 12 * pageLength }, (_, at) => String.fromCharCode(97 + ((at * at) % 23))).join('')
    const [whole, parts] = [pagesOf([text], 12), pagesOf([text], 12)]
    longestRepeats(whole, { from: 0, to: 12 })
    for (const part of divide({ from: 0, to: 12 }, 5)) longestRepeats(parts, part)
    expect(parts.lengths).toEqual(whole.lengths)
    expect(parts.positions).toEqual(whole.positions)
  })

  it('are found across texts, without line breaks and non-ASCII characters', () => {
    const text = `Fellow   citizens\n of the Senate — ${'x'.repeat(pageLength)}`
    const { text: bytes } = pagesOf([text], 1)
    expect(Buffer.from(bytes).toString('latin1', 0, 33)).toBe('Fellow citizens of the Senate  xx')
  })
})

it('refuses more pages than the texts fill', () => {
  expect(() => pagesOf(['too short'], 1)).toThrow('9 characters do not fill 1 pages of 1024')
})
