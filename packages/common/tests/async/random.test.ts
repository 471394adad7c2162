import fc from 'fast-check'
import { expect, it } from 'vitest'
import { drawFrom, integersFrom, randomFor, randomFrom } from '../../src/async/random.ts'

const firstOf = (seed: number, count: number) => Array.from({ length: count }, randomFrom(seed))

it('returns the numbers of mulberry32', () => {
  // Computed in Python with integers modulo 2^32, for the seed 0.
  expect(firstOf(0, 3).map((number) => number * 2 ** 32)).toEqual([0x4434b462, 0x159c37, 0x39285b08])
})

it('repeats numbers from 0 to below 1 for a seed, and has others for another seed', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const numbers = firstOf(seed, 20)
      expect(firstOf(seed, 20)).toEqual(numbers)
      expect(firstOf(seed + 1, 20)).not.toEqual(numbers)
      for (const number of numbers) expect(number >= 0 && number < 1).toBe(true)
    }),
  )
})

it('spreads numbers evenly', () => {
  const buckets = new Array<number>(10).fill(0)
  for (const number of firstOf(1, 100_000))
    buckets[Math.floor(10 * number)] = (buckets[Math.floor(10 * number)] ?? 0) + 1
  // Expected: 10,000 in each, with a standard deviation of 95.
  for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(475)
})

it('returns integers over the whole range of 32 bits', () => {
  const next = integersFrom(1)
  const integers = Array.from({ length: 10_000 }, next)
  for (const integer of integers) expect(integer).toBe(integer | 0)
  expect(Math.min(...integers)).toBeLessThan(-0.999 * 2 ** 31)
  expect(Math.max(...integers)).toBeGreaterThan(0.999 * 2 ** 31)
})

it('draws whole numbers within their bounds and items of a list', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: -50, max: 50 }), fc.nat(100), (seed, least, span) => {
      const { whole, oneOf } = drawFrom(seed)
      const drawn = whole(least, least + span)
      expect(Number.isInteger(drawn) && drawn >= least && drawn <= least + span).toBe(true)
      expect(['a', 'b', 'c']).toContain(oneOf(['a', 'b', 'c']))
    }),
  )
  const { whole, oneOf } = drawFrom(3)
  expect(new Set(Array.from({ length: 100 }, () => whole(1, 3)))).toEqual(new Set([1, 2, 3]))
  expect(() => oneOf([])).toThrow(RangeError)
})

it('has a number for each list of whole numbers, independent of earlier calls', () => {
  expect(randomFor(1, 2)).toBe(randomFor(1, 2))
  expect(randomFor(1, 2)).not.toBe(randomFor(2, 1))
  const numbers = Array.from({ length: 10_000 }, (_, part) => randomFor(7, part))
  expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true)
  expect(numbers.reduce((sum, number) => sum + number, 0) / numbers.length).toBeCloseTo(0.5, 1)
})
