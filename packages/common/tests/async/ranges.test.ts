import fc from 'fast-check'
import { expect, it } from 'vitest'
import { divide } from '../../src/async/ranges.ts'

it('divides a range into parts whose lengths differ by at most one', () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.nat(1000), fc.integer({ min: 1, max: 50 }), (from, length, parts) => {
      const ranges = divide({ from, to: from + length }, parts)
      expect(ranges).toHaveLength(parts)
      expect(ranges[0]?.from).toBe(from)
      expect(ranges.at(-1)?.to).toBe(from + length)
      for (const [at, range] of ranges.entries()) {
        if (at > 0) expect(range.from).toBe(ranges[at - 1]?.to)
        expect([0, 1]).toContain(range.to - range.from - Math.floor(length / parts))
      }
    }),
  )
})
