import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { faultOf, faults, latencyOf, theoryOf } from '../../src/pages/slow-pages.ts'

describe('the theory', () => {
  it('is the schedule of a list on free places', () => {
    expect(theoryOf([5, 1, 1, 1, 2], 2)).toEqual({ sumMs: 10, maxMs: 5, roundsMs: 6, makespanMs: 5 })
    expect(theoryOf([5, 1, 1, 1, 4], 2)).toMatchObject({ makespanMs: 7 })
    expect(theoryOf([3, 2, 4], 10)).toMatchObject({ makespanMs: 4, maxMs: 4 })
  })

  it('is that of as many pages as one likes', () => {
    expect(theoryOf(new Array(200_000).fill(1), 200_000)).toMatchObject({ sumMs: 200_000, maxMs: 1, makespanMs: 1 })
  })

  it('lies between its bounds', () => {
    const latencies = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1 })
    fc.assert(
      fc.property(latencies, fc.integer({ min: 1, max: 20 }), (list, limit) => {
        const { sumMs, maxMs, makespanMs } = theoryOf(list, limit)
        expect(makespanMs).toBeGreaterThanOrEqual(Math.max(maxMs, sumMs / limit) - 1e-9)
        // Graham's bound for lists.
        expect(makespanMs).toBeLessThanOrEqual(sumMs / limit + (1 - 1 / limit) * maxMs + 1e-9)
        expect(theoryOf(list, 1).makespanMs).toBeCloseTo(sumMs)
      }),
    )
  })

  it('knows latencies and failures from the seed', () => {
    const pages = Array.from({ length: 2_000 }, (_, page) => page)
    const site = { seed: 7, latencyMs: 100, failRate: 0.3 }
    const latencies = pages.map((page) => latencyOf(site, page))
    expect(Math.min(...latencies)).toBeGreaterThanOrEqual(50)
    expect(Math.max(...latencies)).toBeLessThan(150)
    expect(latencies).toEqual(pages.map((page) => latencyOf(site, page)))
    const found = pages.map((page) => faultOf(site, page, 1)).filter((fault) => fault !== undefined)
    expect(found.length / pages.length).toBeCloseTo(0.3, 1)
    expect(new Set(found)).toEqual(new Set(faults))
    expect(pages.every((page) => faultOf({ ...site, failRate: 0 }, page, 1) === undefined)).toBe(true)
    expect(pages.every((page) => faultOf({ ...site, failRate: 1 }, page, 1) !== undefined)).toBe(true)
  })
})
