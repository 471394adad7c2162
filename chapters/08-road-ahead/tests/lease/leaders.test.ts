/** Who led when. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findTroubles, lasted } from '../../src/lease/leaders.ts'

describe('who led', () => {
  const term = (name: string, fromMs: number, toMs: number) => ({ name, fromMs, toMs })

  it('says when nobody did, and when two did', () => {
    const terms = [term('a', -5, 10), term('b', 8, 20), term('c', 25, 40), term('a', 25, 26)]
    const troubles = findTroubles(terms, 30)
    expect(troubles).toEqual([
      { kind: 'two lead', fromMs: 8, toMs: 10 },
      { kind: 'nobody leads', fromMs: 20, toMs: 25 },
      { kind: 'two lead', fromMs: 25, toMs: 26 },
    ])
    expect(lasted(troubles, 'two lead')).toBe(3)
    expect(lasted(troubles, 'two lead', 9)).toBe(2)
    expect(lasted(troubles, 'nobody leads', 30)).toBe(0)
    expect(findTroubles([], 3)).toEqual([{ kind: 'nobody leads', fromMs: 0, toMs: 3 }])
  })

  it('agrees with counting ms by ms', () => {
    const ms = fc.integer({ min: -10, max: 60 })
    const any = fc.array(fc.tuple(ms, ms).map(([one, other]) => term('x', Math.min(one, other), Math.max(one, other))))
    fc.assert(
      fc.property(any, (terms) => {
        const troubles = findTroubles(terms, 50)
        const counts = Array.from(
          { length: 50 },
          (_, at) => terms.filter((each) => each.fromMs <= at && each.toMs > at).length,
        )
        expect(lasted(troubles, 'nobody leads')).toBe(counts.filter((count) => count === 0).length)
        expect(lasted(troubles, 'two lead')).toBe(counts.filter((count) => count > 1).length)
      }),
    )
  })
})
