import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  amdahl,
  amdahlCost,
  amdahlLimit,
  gustafson,
  isoefficiency,
  karpFlatt,
  usl,
  uslPeak,
} from '../../src/laws/laws.ts'

const fraction = fc.double({ min: 0, max: 1, noNaN: true })
const processors = fc.integer({ min: 1, max: 1_000_000 })

describe("Amdahl's law", () => {
  it.each([
    [10, 9.17],
    [100, 50.25],
    [1000, 90.99],
  ])('gives the known speedup for a parallel fraction of 99 %% on %i processors: %d', (p, speedup) => {
    expect(amdahl(0.99, p)).toBeCloseTo(speedup, 2)
  })

  it('is 1 on one processor', () => {
    fc.assert(fc.property(fraction, (f) => void expect(amdahl(f, 1)).toBe(1)))
  })

  it('grows with the processors and never passes its limit', () => {
    fc.assert(
      fc.property(fraction, processors, processors, (f, p, more) => {
        const speedup = amdahl(f, p)
        expect(amdahl(f, p + more)).toBeGreaterThanOrEqual(speedup)
        expect(speedup).toBeLessThanOrEqual(amdahlLimit(f))
        expect(speedup).toBeLessThanOrEqual(p * (1 + 1e-12))
      }),
    )
    // Strictly, where the numbers are far enough apart to differ in binary.
    expect(amdahl(0.9, 2)).toBeLessThan(amdahl(0.9, 3))
  })

  it('has the limits 1, 100 and none', () => {
    expect(amdahlLimit(0)).toBe(1)
    expect(amdahlLimit(0.99)).toBeCloseTo(100, 9)
    expect(amdahlLimit(1)).toBe(Number.POSITIVE_INFINITY)
  })
})

describe("COST by Amdahl's law", () => {
  it.each([
    [1, 10, 11],
    [0.9, 5.1, 10],
    [0.9, 10, Number.POSITIVE_INFINITY],
    [0.9, 29, Number.POSITIVE_INFINITY],
    [0, 1, Number.POSITIVE_INFINITY],
    [0.5, 1, 2],
    // A program that is slower is beaten by one processor.
    [0, 0.5, 1],
    [1, 0.5, 1],
  ])('with a parallel fraction of %d and a lead of %d is %d processors', (parallel, lead, cost) => {
    expect(amdahlCost(parallel, lead)).toBe(cost)
  })

  it('is the first number of processors whose speedup is above the lead', () => {
    fc.assert(
      fc.property(fraction, fc.double({ min: 0.1, max: 100, noNaN: true }), (parallel, lead) => {
        const cost = amdahlCost(parallel, lead)
        if (cost === Number.POSITIVE_INFINITY) expect(lead).toBeGreaterThanOrEqual(amdahlLimit(parallel) * (1 - 1e-9))
        else expect(amdahl(parallel, cost)).toBeGreaterThanOrEqual(lead * (1 - 1e-9))
        if (cost > 1 && cost < 1e12) expect(amdahl(parallel, cost - 1)).toBeLessThanOrEqual(lead * (1 + 1e-9))
      }),
    )
  })
})

describe("Gustafson's law", () => {
  it('is 1 on one processor, grows by f with each, and is never below Amdahl’s', () => {
    fc.assert(
      fc.property(fraction, processors, (f, p) => {
        expect(gustafson(f, 1)).toBeCloseTo(1, 12)
        expect(gustafson(f, p + 1) - gustafson(f, p)).toBeCloseTo(f, 6)
        expect(gustafson(f, p)).toBeGreaterThanOrEqual(amdahl(f, p) * (1 - 1e-12))
      }),
    )
    expect(gustafson(0.99, 100)).toBeCloseTo(99.01, 12)
  })
})

describe('Karp and Flatt', () => {
  it('invert Amdahl', () => {
    fc.assert(
      fc.property(fraction, fc.integer({ min: 2, max: 10_000 }), (f, p) => {
        expect(karpFlatt(amdahl(f, p), p)).toBeCloseTo(1 - f, 9)
      }),
    )
  })

  it('say nothing on one processor, and go below 0 for a speedup above the number of processors', () => {
    expect(karpFlatt(1, 1)).toBeNaN()
    expect(karpFlatt(2.2, 2)).toBeLessThan(0)
  })
})

describe('the Universal Scalability Law', () => {
  it('is 1 on one processor, and Amdahl’s law without coherency', () => {
    fc.assert(
      fc.property(fraction, fraction, processors, (contention, coherency, p) => {
        expect(usl({ contention, coherency }, 1)).toBe(1)
        const same = usl({ contention, coherency: 0 }, p) / amdahl(1 - contention, p)
        expect(same).toBeCloseTo(1, 9)
      }),
    )
  })

  it('has its highest value at the peak', () => {
    const coherency = fc.double({ min: 1e-6, max: 0.1, noNaN: true })
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.8, noNaN: true }), coherency, (contention, coherency) => {
        const law = { contention, coherency }
        const peak = uslPeak(law)
        for (const beside of [0.9 * peak, 1.1 * peak]) {
          if (beside >= 1) expect(usl(law, peak)).toBeGreaterThanOrEqual(usl(law, beside))
        }
      }),
    )
    expect(uslPeak({ contention: 0.1, coherency: 0 })).toBe(Number.POSITIVE_INFINITY)
    expect(uslPeak({ contention: 0.99, coherency: 0.1 })).toBe(1)
  })
})

describe('isoefficiency', () => {
  it('is the work for which the efficiency is just reached', () => {
    const efficiency = fc.double({ min: 0.05, max: 0.95, noNaN: true })
    fc.assert(
      fc.property(efficiency, fc.integer({ min: 2, max: 1024 }), (wanted, p) => {
        const overhead = (work: number, p: number) => p * Math.log2(p) + 3 * p * Math.sqrt(work)
        const work = isoefficiency(wanted, p, overhead)
        expect(work / (work + overhead(work, p))).toBeCloseTo(wanted, 9)
      }),
    )
  })

  it('is known for adding n numbers on a tree of processors: W = E / (1 − E) · 2 P log₂ P', () => {
    const overhead = (_: number, p: number) => 2 * p * Math.log2(p)
    expect(isoefficiency(0.8, 4, overhead)).toBeCloseTo(64, 9)
    expect(isoefficiency(0.8, 16, overhead)).toBeCloseTo(512, 9)
  })

  it('has no answer where a serial fraction keeps the efficiency too low', () => {
    // The other processors wait while one works on 10 %: at most 52.6 % on ten of them.
    const waiting = (work: number, p: number) => 0.1 * work * (p - 1)
    expect(isoefficiency(0.53, 10, waiting)).toBe(Number.POSITIVE_INFINITY)
    expect(isoefficiency(0.52, 10, (work, p) => waiting(work, p) + 1)).toBeLessThan(Number.POSITIVE_INFINITY)
  })
})
