import { randomFrom } from '@repo/common/async/random'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amdahl, usl } from '../../src/laws/laws.ts'
import { fitAmdahl, fitUsl, type Point } from '../../src/measure/fits.ts'

const share = (min: number, max: number) => fc.double({ min, max, noNaN: true })
const seed = fc.integer({ min: 1, max: 2 ** 32 - 1 })

/** Points of a law on 1 to `most` processors, each measured `repeats` times with noise of a standard deviation. */
function measure(law: (processors: number) => number, most: number, noise = 0, repeats = 1, seed = 1): Point[] {
  const normal = normalNumbers(seed)
  return Array.from({ length: most * repeats }, (_, at) => {
    const processors = 1 + (at % most)
    return { processors, speedup: law(processors) * (1 + noise * normal()) }
  })
}

/** Normally distributed numbers, mean 0 and deviation 1, the same for the same seed (Box–Muller). */
function normalNumbers(seed: number): () => number {
  const random = randomFrom(seed)
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

describe('a fit of Amdahl’s law', () => {
  it('returns the serial fraction of exact data', () => {
    fc.assert(
      fc.property(share(0, 1), fc.integer({ min: 2, max: 64 }), (serial, most) => {
        const points = measure((p) => amdahl(1 - serial, p), most)
        expect(Math.abs(fitAmdahl(points) - serial)).toBeLessThan(1e-6)
      }),
    )
  })

  it('returns it to 10 % from data with 5 % noise', () => {
    fc.assert(
      fc.property(share(0.05, 0.9), seed, (serial, seed) => {
        const points = measure((p) => amdahl(1 - serial, p), 64, 0.05, 5, seed)
        expect(Math.abs(fitAmdahl(points) / serial - 1)).toBeLessThan(0.1)
      }),
    )
  })

  it('ignores one processor, and needs another number of them', () => {
    expect(() => fitAmdahl([{ processors: 1, speedup: 1 }])).toThrow(RangeError)
    expect(fitAmdahl([{ processors: 2, speedup: amdahl(0.9, 2) }])).toBeCloseTo(0.1, 12)
  })
})

describe('a fit of the Universal Scalability Law', () => {
  it('returns the parameters of exact data', () => {
    fc.assert(
      fc.property(share(0, 0.9), share(0, 0.1), fc.integer({ min: 3, max: 64 }), (contention, coherency, most) => {
        const fitted = fitUsl(measure((p) => usl({ contention, coherency }, p), most))
        expect(Math.abs(fitted.contention - contention)).toBeLessThan(1e-6)
        expect(Math.abs(fitted.coherency - coherency)).toBeLessThan(1e-6)
      }),
    )
  })

  it('returns them to 10 % from data with 5 % noise', () => {
    fc.assert(
      fc.property(share(0.05, 0.2), share(0.001, 0.005), seed, (contention, coherency, seed) => {
        const points = measure((p) => usl({ contention, coherency }, p), 64, 0.05, 100, seed)
        const fitted = fitUsl(points)
        expect(Math.abs(fitted.contention / contention - 1)).toBeLessThan(0.1)
        expect(Math.abs(fitted.coherency / coherency - 1)).toBeLessThan(0.1)
      }),
    )
  })

  it('has no negative parameters, and fits the other one alone', () => {
    // Faster than the law allows: contention cannot fall as processors are added.
    const superlinear = [1, 2, 3, 4].map((p) => ({ processors: p, speedup: p ** 1.2 }))
    expect(fitUsl(superlinear)).toEqual({ contention: 0, coherency: 0 })
    const amdahlOnly = [1, 2, 4, 8].map((p) => ({ processors: p, speedup: amdahl(0.9, p) * (p === 8 ? 1.05 : 1) }))
    const fitted = fitUsl(amdahlOnly)
    expect(fitted.coherency).toBe(0)
    expect(fitted.contention).toBeCloseTo(fitAmdahl(amdahlOnly), 12)
  })

  it('needs two numbers of processors above one', () => {
    expect(() => fitUsl(measure((p) => p, 2))).toThrow('cannot be fitted on 1 numbers of processors above 1')
  })
})
