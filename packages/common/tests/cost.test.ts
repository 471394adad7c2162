import { describe, expect, it } from 'vitest'
import { costOf, growthSlope, paysFrom, slopeOf } from '../src/cost.ts'
import { describeCost, drawGrowth } from '../src/output/costs.ts'

describe('COST', () => {
  it.each([
    [[{ workers: 1, ms: 300 }], 'not up to 1'],
    [
      [
        { workers: 1, ms: 190 },
        { workers: 2, ms: 99 },
        { workers: 4, ms: 60 },
      ],
      2,
    ],
    [
      [
        { workers: 4, ms: 50 },
        { workers: 1, ms: 90 },
      ],
      1,
    ],
    // As fast is not faster.
    [[{ workers: 2, ms: 100 }], 'not up to 2'],
  ])('of %o against 100 ms is %o', (runs, cost) => {
    expect(costOf(100, runs)).toEqual({ bestSerialMs: 100, cost })
  })

  it('pays from the size on that no larger one contradicts', () => {
    const [never, two] = [{ cost: 'not up to 4' } as const, { cost: 2 }]
    expect(paysFrom([never, two, never, two, { cost: 1 }])).toBe(two)
    expect(paysFrom([{ cost: 3 }, two])).toEqual({ cost: 3 })
    for (const sizes of [[], [two, never]]) expect(paysFrom(sizes)).toBeUndefined()
  })

  it('is said in a line', () => {
    expect(describeCost({ bestSerialMs: 250, cost: 2 })).toBe(
      'COST in workers: 2; the best plain program on one thread takes 250 ms.',
    )
    expect(describeCost({ bestSerialMs: 250, cost: 10 }, 'requests at once', 'one after another')).toBe(
      'COST in requests at once: 10; one after another takes 250 ms.',
    )
    expect(describeCost({ bestSerialMs: 250, cost: 'not up to 8' }, 'tasks')).toBe(
      'COST in tasks: not up to 8; the best plain program on one thread takes 250 ms, and none was faster.',
    )
  })
})

describe('growth', () => {
  const growing = (of: (size: number) => number) => [10, 100, 1_000].map((size) => ({ size, ms: of(size) }))

  it('has the slope of its power', () => {
    expect(growthSlope(growing((n) => 3 * n))).toBeCloseTo(1)
    expect(growthSlope(growing((n) => 0.1 * n ** 2))).toBeCloseTo(2)
    expect(growthSlope(growing(() => 7))).toBeCloseTo(0)
    expect(growthSlope([{ size: 1, ms: 1 }])).toBeNaN()
  })

  it('is drawn with its slope', () => {
    const svg = drawGrowth('sort', 'numbers', { serial: growing((n) => n), parallel: growing((n) => n ** 1.5) })
    for (const text of ['serial (slope 1.00)', 'parallel (slope 1.50)', 'numbers']) expect(svg).toContain(text)
  })
})

it('the slope of a line is what the least squares give', () => {
  expect(slopeOf([10, 100, 1_000].map((size) => ({ x: Math.log10(size), y: 3 + 2 * Math.log10(size) })))).toBeCloseTo(2)
  expect(slopeOf([{ x: 1, y: 1 }])).toBeNaN()
})
