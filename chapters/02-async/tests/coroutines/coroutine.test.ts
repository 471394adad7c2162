import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { meanSoFar, NotANumber, runningMean } from '../../examples/coroutines.ts'
import { broadcast, coroutine, type Sink } from '../../src/coroutines/coroutine.ts'

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

  it('remembers what it has received: the mean of all values so far', () => {
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
})
