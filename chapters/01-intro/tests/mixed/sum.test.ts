import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bitsOf, chunkSum, chunks, pairwiseSum } from '../../src/mixed/sum.ts'

const terms = 2_000_000
const chunkSums = () => Float64Array.from({ length: chunks }, (_, chunk) => chunkSum(chunk, terms))

describe('the sum', () => {
  it('is π', () => {
    // The midpoint rule's error is below (b − a)³ · max|f″| / (24 n²), and |f″| ≤ 8.
    expect(Math.abs(pairwiseSum(chunkSums()) - Math.PI)).toBeLessThan(8 / 24 / terms ** 2 + 1e-14)
  })

  it('takes every term once, even when the chunks differ in length', () => {
    const odd = chunks * 3 + 17
    const sum = Array.from({ length: chunks }, (_, chunk) => chunkSum(chunk, odd)).reduce((a, b) => a + b, 0)
    const plain = Array.from({ length: odd }, (_, i) => 4 / (1 + ((i + 0.5) / odd) ** 2) / odd).reduce(
      (a, b) => a + b,
      0,
    )
    expect(sum).toBeCloseTo(plain, 12)
  })

  it('depends on the order when terms are added as they come', () => {
    // The reason for all this: three numbers, two orders, two sums.
    expect(bitsOf(0.1 + 0.2 + 0.3)).not.toBe(bitsOf(0.1 + (0.2 + 0.3)))
  })
})

it('adds in pairs', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1e9, max: 1e9 }), { maxLength: 100 }), (numbers) => {
      const exact = numbers.reduce((sum, number) => sum + number, 0)
      expect(pairwiseSum(Float64Array.from(numbers))).toBe(exact)
    }),
  )
  // 1 + 2⁻⁵³ is 1 again in binary; two of the small ones together are not lost.
  const tiny = 2 ** -53
  expect(pairwiseSum(Float64Array.of(1, 0, tiny, tiny))).toBe(1 + 2 ** -52)
  expect(1 + 0 + tiny + tiny).toBe(1)
})

it('shows the bits of a number', () => {
  expect(bitsOf(Math.PI)).toBe('400921fb54442d18')
  expect(bitsOf(0)).toBe('0000000000000000')
})
