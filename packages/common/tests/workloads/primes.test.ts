import fc from 'fast-check'
import { expect, it } from 'vitest'
import { countPrimes } from '../../src/workloads/primes.ts'

it('counts primes as the tables do, in one piece or many', () => {
  expect([10, 100, 1_000, 100_000, 1_000_000].map((limit) => countPrimes(0, limit))).toEqual([4, 25, 168, 9592, 78498])
  fc.assert(
    fc.property(fc.array(fc.nat(5_000), { minLength: 1, maxLength: 8 }), (cuts) => {
      const sorted = [0, ...cuts, 5_000].sort((a, b) => a - b)
      const pieces = sorted.slice(1).map((to, at) => countPrimes(sorted[at] ?? 0, to))
      expect(pieces.reduce((sum, primes) => sum + primes, 0)).toBe(669)
    }),
  )
})
