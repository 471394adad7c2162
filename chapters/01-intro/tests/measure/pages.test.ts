import { divide } from '@repo/common/async/ranges'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { longestRepeatsByChains } from '../../src/measure/hash-chains.ts'
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

  it('are the same by hash chains, in any alphabet', () => {
    // Without the space, because several of them become one, and then the page is not full.
    const letters = Array.from({ length: 94 }, (_, at) => String.fromCharCode(33 + at))
    const alphabet = fc.integer({ min: 1, max: 94 }).map((size) => fc.constantFrom(...letters.slice(94 - size)))
    const texts = alphabet.chain((unit) => fc.string({ unit, minLength: pageLength, maxLength: pageLength }))
    // 1,024 characters of which no three occur twice: all pairs of 33 letters, each pair once.
    const pairs = letters.slice(-33).flatMap((a, at) => [a, ...letters.slice(-33 + at + 1).flatMap((b) => [a, b])])
    fc.assert(
      fc.property(texts, (text) => {
        const [plain, chained] = [pagesOf([text], 1), pagesOf([text], 1)]
        longestRepeats(plain, { from: 0, to: 1 })
        longestRepeatsByChains(chained, { from: 0, to: 1 })
        expect(chained).toEqual(plain)
      }),
      { numRuns: 100, examples: [['x'.repeat(pageLength)], [pairs.join('').slice(0, pageLength)]] },
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
