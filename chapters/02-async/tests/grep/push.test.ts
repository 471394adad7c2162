import fc from 'fast-check'
import { expect, it } from 'vitest'
import { broadcast } from '../../src/coroutines/coroutine.ts'
import { lineCounter, searchFor } from '../../src/grep/pattern.ts'
import { count, grep } from '../../src/grep/push.ts'

it('a broadcast counts in one pass what each pattern counts alone', () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'b', ' ') })
  fc.assert(
    fc.property(
      fc.array(line),
      fc.array(fc.constantFrom('a', 'ab', 'b+', ' ', 'x*'), { minLength: 1 }),
      (lines, patterns) => {
        const searches = patterns.map((pattern) => searchFor(pattern))
        const totals = searches.map(() => ({ occurrences: 0, lines: 0 }))
        const source = broadcast(
          searches.map((search, at) => grep(search, count(totals[at] ?? { occurrences: 0, lines: 0 }))),
        )
        for (const text of lines) source.next(text)
        expect(totals).toEqual(
          searches.map((search) => {
            const matches = lines.map(lineCounter(search)).filter((matched) => matched !== undefined)
            return { occurrences: matches.reduce((sum, matched) => sum + matched, 0), lines: matches.length }
          }),
        )
      },
    ),
  )
})
