/** The laws' explorer as functions: chapter 1's formulas, and what a reader pastes. */
import { join } from 'node:path'
import { runExample } from '@repo/common/testing/testing'
import { amdahl, gustafson, usl, uslPeak } from '01-intro/laws/laws'
import { describe, expect, it } from 'vitest'
import { curve, lawNames, limits, readMeasured, speedups } from '../../src/interactive/speedup.ts'

const parameters = { parallel: 0.9, contention: 0.05, coherency: 0.001 }

it('has the known values of the laws', () => {
  expect(speedups({ ...parameters, parallel: 0.99 }, 1000).Amdahl).toBeCloseTo(90.99, 2)
  expect(speedups({ ...parameters, parallel: 0.99 }, 100).Gustafson).toBeCloseTo(99.01, 12)
  expect(limits(parameters)).toEqual({
    ideal: 'none',
    Amdahl: 'never above 10.0×',
    Gustafson: 'none',
    USL: `highest on 31: ${usl(parameters, uslPeak(parameters)).toFixed(2)}×`,
  })
  expect(limits({ parallel: 1, contention: 0, coherency: 0 })).toMatchObject({ Amdahl: 'none', USL: 'none' })
  expect(limits({ parallel: 0, contention: 0.5, coherency: 0 })).toEqual({
    ideal: 'none',
    Amdahl: 'never above 1.00×',
    Gustafson: 'never above 1.00×',
    USL: 'never above 2.00×',
  })
})

it('draws curves through the values, from one processor to the last', () => {
  for (const law of lawNames) {
    const points = curve(law, parameters, 64)
    expect(points[0]).toEqual({ x: 1, y: 1 })
    expect(points[50]?.x).toBeCloseTo(8, 12)
    expect(points.at(-1)).toEqual({ x: 64, y: speedups(parameters, 64)[law] })
  }
  expect(curve('Amdahl', parameters, 64)[50]?.y).toBeCloseTo(amdahl(0.9, 8), 12)
  expect(curve('Gustafson', parameters, 64)[50]?.y).toBeCloseTo(gustafson(0.9, 8), 12)
})

describe('a pasted measurement', () => {
  it('is what measure prints', async () => {
    const small = ['--quick', '--workers', '1', '--pages', '20', '--json']
    const run = await runExample(join(import.meta.dirname, '../../../chapters/01-intro'), 'measure', small)
    const { cores, busy, rows, fits } = run.json<{
      cores: number
      busy: boolean
      rows: object[]
      fits: Record<'amdahl' | 'amdahlOnThreads', { serialFraction: number } | null> & { usl: object }
    }>()
    const read = readMeasured(`> 01-intro@0.1.0 start\n\n${run.stdout}`)
    const { contention, coherency, parallel } = read.fitted
    expect(read).toMatchObject({ cores, busy })
    expect(rows).toMatchObject(read.rows)
    expect(fits.usl).toMatchObject({ contention, coherency })
    const serial = (fits.amdahl ?? fits.amdahlOnThreads)?.serialFraction ?? Number.NaN
    expect(parallel).toBe(Math.min(1, 1 - serial))
  })

  it('may be superlinear, or of one core without a fit on processors', () => {
    const fits = { amdahl: null, amdahlOnThreads: { serialFraction: -0.1 }, usl: { contention: 0, coherency: 0 } }
    const row = { workers: 1, speedup: 1, ceiling: 1, ms: 5 }
    expect(readMeasured(JSON.stringify({ cores: 1, busy: true, rows: [row], fits }))).toEqual({
      cores: 1,
      busy: true,
      rows: [{ workers: 1, speedup: 1, ceiling: 1 }],
      fitted: { parallel: 1, contention: 0, coherency: 0 },
    })
  })

  it.each([
    ['serial fraction 9.9 %', '"serial fraction 9.9 %" is not JSON'],
    ['{"rows": [', '"{"rows": [" is not JSON'],
    ['{}', '"{}" has no measured rows'],
    ['{"rows": [{"workers": 1, "speedup": 1}]}', 'has no measured rows'],
    ['{"rows": [{"workers": 0, "speedup": 1, "ceiling": 1}]}', 'has no measured rows'],
    ['{"rows": [{"workers": 1, "speedup": 1, "ceiling": 1}], "fits": {}}', 'has no fits'],
    [
      '{"rows": [{"workers": 1, "speedup": 1, "ceiling": 1}], "fits": {"amdahlOnThreads": {"serialFraction": 0}, "usl": {}}}',
      'has no fits',
    ],
  ])('is refused in one line: %s', (output, why) => {
    expect(() => readMeasured(output)).toThrow(why)
    expect(() => readMeasured(output)).toThrow(/: paste what .*measure --json` prints$/)
  })
})
