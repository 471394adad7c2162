import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { winnerOf } from '../../src/mixed/layout-times.ts'
import { layoutList, layoutName, layoutsFor, lengthsOf, partsOf, startLayout } from '../../src/mixed/layouts.ts'
import { bitsOf, chunkSum, chunks, pairwiseSum } from '../../src/mixed/sum.ts'

const terms = 2_000_000
const chunkSums = () => Float64Array.from({ length: chunks }, (_, chunk) => chunkSum(chunk, terms))

describe('the sum', () => {
  it('is π', () => {
    // The midpoint rule's error is below (b − a)³ · max|f″| / (24 n²), and |f″| ≤ 8.
    expect(Math.abs(pairwiseSum(chunkSums()) - Math.PI)).toBeLessThan(8 / 24 / terms ** 2 + 1e-14)
  })

  it('takes every term once, also when the chunks are not of one length', () => {
    const odd = chunks * 3 + 17
    const sum = Array.from({ length: chunks }, (_, chunk) => chunkSum(chunk, odd)).reduce((a, b) => a + b, 0)
    const plain = Array.from({ length: odd }, (_, i) => 4 / (1 + ((i + 0.5) / odd) ** 2) / odd).reduce(
      (a, b) => a + b,
      0,
    )
    expect(sum).toBeCloseTo(plain, 12)
  })

  it('has the same bits on every layout of processes and threads', async () => {
    const bits = bitsOf(pairwiseSum(chunkSums()))
    const layouts = ['1x1', '2x1', '1x2', '2x2', '3x1', '1x3'].flatMap((text) => layoutList.parse(text))
    for (const layout of layouts) {
      await using running = await startLayout(layout)
      for (let round = 0; round < 3; round++) {
        const result = await running.sum(terms)
        expect([layoutName(layout), result.bits]).toEqual([layoutName(layout), bits])
        expect(result.inOrderOfWorkers).toBeCloseTo(Math.PI, 12)
        expect(result.memoryBytes).toBeGreaterThan(layout.processes * 10e6)
      }
    }
  })

  it('depends on the order when it is added as it comes', () => {
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

it('reports a process that ends before it has answered', async () => {
  const stopping = new AbortController()
  await using running = await startLayout({ processes: 2, threads: 1 }, stopping.signal)
  const sum = running.sum(10_000_000_000)
  stopping.abort()
  await expect(sum).rejects.toThrow(/a process of the sum ended with \S+ before it answered/)
})

describe('layouts', () => {
  it('are read with x and ×', () => {
    expect(layoutList.parse('2x1, 1×2')).toEqual([
      { processes: 2, threads: 1 },
      { processes: 1, threads: 2 },
    ])
  })

  it.each(['', '2', 'x', '0x1', '1x0', '1x1,1x1', '17x1', '1x17', '2x1,'])('refuse "%s"', (text) => {
    expect(layoutList.safeParse(text).success).toBe(false)
  })

  it('use all cores, and twice as many', () => {
    expect(layoutsFor(2).map(layoutName)).toEqual(['1×1', '2×1', '1×2', '2×2'])
    expect(layoutsFor(8).map(layoutName)).toEqual(['1×1', '8×1', '2×4', '1×8', '2×8'])
    expect(layoutsFor(1).map(layoutName)).toEqual(['1×1', '2×1'])
    expect(layoutsFor(128).map(layoutName)).toEqual(['1×1', '16×1', '2×8', '1×16', '2×16'])
  })

  it('divide the chunks among the processes, and those of each among its threads', () => {
    const parts = partsOf({ processes: 3, threads: 2 })
    expect(parts.map(({ from, to }) => [from, to])).toEqual([
      [0, 341],
      [341, 682],
      [682, 1024],
    ])
    expect(parts[1]?.threads).toEqual([
      { from: 341, to: 511 },
      { from: 511, to: 682 },
    ])
    expect(lengthsOf(parts)).toBe('341–342')
    expect(lengthsOf(partsOf({ processes: 2, threads: 1 }))).toBe('512')
  })

  it('win by their time, and among equals by their memory', () => {
    const layout = (layout: string, ms: number, memoryBytes: number) => ({ layout, ms, memoryBytes, startMs: 1 })
    const rows = [layout('a', 100, 3), layout('b', 104, 2), layout('c', 106, 1)]
    const { winner, equals } = winnerOf(rows)
    expect(winner?.layout).toBe('b')
    expect(equals.map(({ layout }) => layout)).toEqual(['a', 'b'])
  })
})
