import { describe, expect, it } from 'vitest'
import { layoutList, layoutName, layoutsFor, lengthsOf, partsOf, winnerOf } from '../../src/mixed/layouts.ts'

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
    const layout = (layout: string, ms: number, memoryBytes: number) => ({ layout, ms, memoryBytes })
    const rows = [layout('a', 100, 3), layout('b', 104, 2), layout('c', 106, 1)]
    const { winner, equals } = winnerOf(rows)
    expect(winner?.layout).toBe('b')
    expect(equals.map(({ layout }) => layout)).toEqual(['a', 'b'])
  })
})
