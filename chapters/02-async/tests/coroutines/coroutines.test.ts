import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { broadcast, coroutine, type Sink } from '../../src/coroutines/coroutine.ts'
import { Countdown, countdown, isPrime, naturals, slowCountdown } from '../../src/coroutines/iterators.ts'
import { meanSoFar, NotANumber, runningMean } from '../../src/coroutines/running-mean.ts'
import { countAll, overTime } from '../../src/grep/mgrep.ts'
import { lineCounter, searchFor } from '../../src/grep/pattern.ts'
import { count, grep } from '../../src/grep/push.ts'

const collector = coroutine(function* (into: unknown[]): Sink<unknown> {
  try {
    for (;;) into.push(yield)
  } finally {
    into.push('closed')
  }
})

describe('coroutine', () => {
  it('takes the first value, which a generator that is not primed loses', () => {
    expect(runningMean().next(8).value).toBe(8)
    expect(meanSoFar().next(8).value).toBe(0)
  })

  it('is the mean of all values so far', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1 }), (values) => {
        const mean = runningMean()
        const last = values.map((value) => mean.next(value).value).at(-1)
        expect(last).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / values.length)
      }),
    )
  })

  it('survives the error it knows and ends with any other', () => {
    const ends: number[] = []
    const mean = runningMean((value) => ends.push(value))
    mean.next(4)
    expect(mean.throw(new NotANumber()).value).toBe(4)
    expect(mean.next(6).value).toBe(5)
    expect(() => mean.throw(new Error('broken'))).toThrow('broken')
    expect(ends).toEqual([5])
    expect(mean.next(1)).toEqual({ done: true, value: undefined })
  })
})

describe('broadcast', () => {
  it('hands every value, and the end, to all', () => {
    const [a, b]: unknown[][] = [[], []]
    const source = broadcast([collector(a), collector(b)])
    source.next(1)
    source.next(2)
    source.return()
    expect(a).toEqual([1, 2, 'closed'])
    expect(b).toEqual(a)
  })

  it('counts in one pass what each pattern alone counts', () => {
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
    expect(countAll([], [])).toEqual([])
  })
})

describe('iterators', () => {
  it('are the same sequence in all three forms', async () => {
    for (const from of [0, 1, 5]) {
      const expected = Array.from({ length: from }, (_, at) => from - at)
      expect([...new Countdown(from)]).toEqual(expected)
      expect([...countdown(from)]).toEqual(expected)
      expect(await Array.fromAsync(slowCountdown(from, 0))).toEqual(expected)
    }
  })

  it('of a class begin anew each time; a generator ends once', () => {
    const object = new Countdown(2)
    expect([[...object], [...object]]).toEqual([
      [2, 1],
      [2, 1],
    ])
    const generator = countdown(2)
    expect([[...generator], [...generator]]).toEqual([[2, 1], []])
  })

  it('make no more than is taken', () => {
    const made: number[] = []
    expect(
      naturals(2, (value) => made.push(value))
        .filter(isPrime)
        .take(5)
        .toArray(),
    ).toEqual([2, 3, 5, 7, 11])
    expect(made).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  it('that wait can be cancelled', async () => {
    await expect(Array.fromAsync(slowCountdown(3, 60_000, AbortSignal.abort()))).rejects.toThrow('abort')
  })
})

it('words over time count whole, in any case, in periods', () => {
  const texts = [
    { year: 1799, text: 'War! Warfare and war.' },
    { year: 1790, text: 'Peace' },
    { year: 1801, text: "It isn't war; isn't it?" },
  ]
  expect(overTime(['war', "isn't"], texts)).toEqual([
    { from: 1790, words: 5, occurrences: [2, 0] },
    { from: 1800, words: 5, occurrences: [1, 2] },
  ])
})
