import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import measure from '../../examples/measure.ts'
import { amdahl, usl } from '../../src/laws/laws.ts'
import { fitAmdahl, fitUsl } from '../../src/measure/fits.ts'
import { onProcessors, onThreads, threadCounts, wasBusy } from '../../src/measure/scaling.ts'

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

it('says that the machine was busy if it gave far less than its cores', () => {
  const rows = (...ceilings: number[]) => ceilings.map((ceiling, at) => ({ workers: at + 1, ceiling, speedup: 1 }))
  expect(wasBusy(rows(1, 1.8, 1.9, 1.9), 2)).toBe(false)
  expect(wasBusy(rows(1, 1.5), 2)).toBe(false)
  expect(wasBusy(rows(1, 1.49), 2)).toBe(true)
  // Four threads on two cores need not be four times as fast.
  expect(wasBusy(rows(1, 1.9, 1.4, 1.9), 2)).toBe(true)
  // Where something keeps the program from using eight cores.
  expect(wasBusy(rows(1, 1, 1, 1), 8)).toBe(true)
  expect(wasBusy(rows(1), 1)).toBe(false)
  // Faster than independent work: other programs were busy while that ran.
  expect(wasBusy([{ workers: 2, ceiling: 1.6, speedup: 1.9 }], 2)).toBe(false)
  expect(wasBusy([{ workers: 2, ceiling: 1.6, speedup: 2.1 }], 2)).toBe(true)
})

it('has the caveat of a busy machine with the figure', () => {
  const result = { serialFraction: 0.1, fits: { amdahl: null }, cost: 3, busy: true } as Parameters<
    typeof measure.figure
  >[0]
  expect(measure.figure(result)).toBe(
    'serial fraction 10.0 %, fitted not at all: one core; COST 3; the machine was busy: do not believe it',
  )
  expect(measure.figure({ ...result, busy: false })).not.toContain('busy')
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
