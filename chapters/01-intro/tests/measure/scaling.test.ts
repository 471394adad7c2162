import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amdahl, usl } from '../../src/laws/laws.ts'
import { fitAmdahl, fitUsl } from '../../src/measure/fits.ts'
import { onProcessors, onThreads, threadCounts } from '../../src/measure/scaling.ts'

describe('the fits of a measured job', () => {
  it('see through missing cores where the ceiling is the number of processors', () => {
    const rows = [1, 2, 3, 4].map((workers) => {
      const ceiling = Math.min(workers, 1.9)
      return { workers, ceiling, speedup: amdahl(0.8, ceiling) }
    })
    expect(fitAmdahl(onProcessors(rows))).toBeCloseTo(0.2, 9)
    expect(fitAmdahl(onThreads(rows))).toBeGreaterThan(0.3)
    // The USL has no notion of cores: it explains the flat part by coherency.
    const law = fitUsl(onThreads(rows))
    expect(law.coherency).toBeGreaterThan(0.01)
    for (const { workers, speedup } of rows) expect(usl(law, workers) / speedup).toBeCloseTo(1, 0)
  })

  it('have no points where there was no second processor', () => {
    const rows = [1, 2, 3].map((workers) => ({ workers, ceiling: 1.02, speedup: 0.98 }))
    expect(onProcessors(rows)).toEqual([])
  })
})

it('measures up to twice the workers, each number once, the requested one among them', () => {
  expect(threadCounts(1)).toEqual([1, 2, 3])
  expect(threadCounts(2)).toEqual([1, 2, 3, 4])
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 64 }), (workers) => {
      const counts = threadCounts(workers)
      expect(counts).toEqual([...new Set(counts)].sort((a, b) => a - b))
      expect(counts).toEqual(expect.arrayContaining([1, 2, workers, 2 * workers]))
      expect(counts.at(-1)).toBe(2 * workers)
      expect(counts.length).toBeLessThan(16)
    }),
  )
})
