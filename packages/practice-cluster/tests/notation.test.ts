import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clockTime, readTaskRanges, taskRanges } from '../src/notation.ts'

describe('notation', () => {
  it('writes durations of any length', () => {
    expect([59, 60, 3600, 90_000].map(clockTime)).toEqual(['00:00:59', '00:01:00', '01:00:00', '25:00:00'])
  })

  it('reads the task numbers that it writes', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(500), { minLength: 1 }), (tasks) => {
        expect(readTaskRanges(taskRanges(tasks))).toEqual(tasks.toSorted((a, b) => a - b))
      }),
    )
  })

  it('reads steps and limits, and refuses anything else', () => {
    expect(readTaskRanges('0-3,7%2')).toEqual([0, 1, 2, 3, 7])
    expect(readTaskRanges('0-8:4')).toEqual([0, 4, 8])
    expect(['', 'a', '1-', '0-9:0'].map(readTaskRanges)).toEqual([undefined, undefined, undefined, undefined])
  })
})
