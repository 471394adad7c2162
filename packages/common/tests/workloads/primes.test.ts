import fc from 'fast-check'
import { expect, it } from 'vitest'
import { countPrimes, sievePrimes } from '../../src/workloads/primes.ts'

it.each([
  ['trial division', countPrimes],
  ['the sieve', sievePrimes],
])('counts primes by %s as the tables do, in one piece or many', (_, countPrimes) => {
  expect([0, 1, 2, 3, 10, 100, 1_000].map((limit) => countPrimes(0, limit))).toEqual([0, 0, 0, 1, 4, 25, 168])
  expect([100_000, 1_000_000].map((limit) => countPrimes(0, limit))).toEqual([9592, 78498])
  fc.assert(
    fc.property(fc.array(fc.nat(5_000), { minLength: 1, maxLength: 8 }), (cuts) => {
      const sorted = [0, ...cuts, 5_000].sort((a, b) => a - b)
      const pieces = sorted.slice(1).map((to, at) => countPrimes(sorted[at] ?? 0, to))
      expect(pieces.reduce((sum, primes) => sum + primes, 0)).toBe(669)
    }),
  )
})
