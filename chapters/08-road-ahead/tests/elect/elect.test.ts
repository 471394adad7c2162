/** Elections by lease: in the simulator each mistake makes two leaders, and the rule none. */
import { search } from '@repo/simulator/search'
import { type Scenario, simulate } from '@repo/simulator/simulator'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Mistake, mistakes } from '../../src/elect/candidate.ts'
import { electGroup, electScenarios } from '../../src/elect/group.ts'
import { findTroubles, lasted } from '../../src/elect/leaders.ts'

describe('a mistake', () => {
  it.each(Object.keys(mistakes) as Mistake[])(
    '"%s" is found within 20,000 histories, for two seeds',
    async (mistake) => {
      for (const seed of [1, 2]) {
        const settings = { seed, scenarios: electScenarios, histories: 20_000, beginnings: 1 }
        const { found } = await search(electGroup(mistake), settings)
        expect(found?.run.violations, `seed ${seed}`).toEqual([expect.stringMatching(/^[abc] and [abc] both lead$/)])
        if (found) expect(simulate(electGroup(), found.shortest).violations).toEqual([])
      }
    },
  )
})

describe('the rule', () => {
  it('never makes two leaders in 1,000 histories, with any seed', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const { found } = await search(electGroup(), { seed, scenarios: electScenarios, histories: 1_000 })
    expect(found?.run.violations, `seed ${seed}`).toBeUndefined()
  })

  it('needs the bound: with a clock that is slower than that, there are two', () => {
    const scenario: Scenario<'a' | 'b' | 'c'> = {
      requests: ['a', 'b'],
      jitter: 0,
      messages: [],
      nodes: [
        { node: 1, fate: 'drift', atMs: 0, ms: -600 },
        { node: 1, fate: 'partition', atMs: 10, ms: 600 },
      ],
    }
    expect(simulate(electGroup(), scenario).violations).toEqual(['a and b both lead'])
  })
})

describe('who led', () => {
  const term = (name: string, fromMs: number, toMs: number) => ({ name, fromMs, toMs })

  it('says when nobody did, and when two did', () => {
    const terms = [term('a', -5, 10), term('b', 8, 20), term('c', 25, 40), term('a', 25, 26)]
    const troubles = findTroubles(terms, 0, 30)
    expect(troubles).toEqual([
      { kind: 'two lead', fromMs: 8, toMs: 10 },
      { kind: 'nobody leads', fromMs: 20, toMs: 25 },
      { kind: 'two lead', fromMs: 25, toMs: 26 },
    ])
    expect(lasted(troubles, 'two lead')).toBe(3)
    expect(lasted(troubles, 'two lead', 9)).toBe(2)
    expect(lasted(troubles, 'nobody leads', 30)).toBe(0)
    expect(findTroubles([], 0, 3)).toEqual([{ kind: 'nobody leads', fromMs: 0, toMs: 3 }])
  })

  it('agrees with counting ms by ms', () => {
    const ms = fc.integer({ min: -10, max: 60 })
    const any = fc.array(fc.tuple(ms, ms).map(([one, other]) => term('x', Math.min(one, other), Math.max(one, other))))
    fc.assert(
      fc.property(any, (terms) => {
        const troubles = findTroubles(terms, 0, 50)
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
