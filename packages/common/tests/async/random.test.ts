/** Numbers that a seed repeats. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { randomFrom } from '../../src/async/random.ts'

const firstOf = (seed: number, count: number) => Array.from({ length: count }, randomFrom(seed))

it('gives the numbers that mulberry32 gives elsewhere', () => {
  // Computed in Python, with whole numbers modulo 2^32, for the seed 0.
  expect(firstOf(0, 3).map((number) => number * 2 ** 32)).toEqual([0x4434b462, 0x159c37, 0x39285b08])
})

it('repeats them for the same seed, from 0 to below 1, and has others for another', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const numbers = firstOf(seed, 20)
      expect(firstOf(seed, 20)).toEqual(numbers)
      expect(firstOf(seed + 1, 20)).not.toEqual(numbers)
      for (const number of numbers) expect(number >= 0 && number < 1).toBe(true)
    }),
  )
})

it('spreads them evenly', () => {
  const buckets = new Array<number>(10).fill(0)
  for (const number of firstOf(1, 100_000))
    buckets[Math.floor(10 * number)] = (buckets[Math.floor(10 * number)] ?? 0) + 1
  // 10,000 are expected in each; five standard deviations are 475.
  for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(475)
})
