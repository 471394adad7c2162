/** The schedules of a loop, and the work they hand out. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fib } from '../../src/fib/fib.ts'
import { chunksFor, schedules, sharedLoop } from '../../src/loops/schedule.ts'

describe.each(schedules)('the %s schedule', (schedule) => {
  it('hands out every item exactly once, whoever asks when', () => {
    const size = fc.integer({ min: 1, max: 50 })
    const turns = fc.infiniteStream(fc.nat())
    fc.assert(
      fc.property(fc.nat(500), fc.integer({ min: 1, max: 6 }), size, turns, (items, workers, chunk, turns) => {
        const loop = sharedLoop({ schedule, items, workers, chunk })
        const asking = Array.from({ length: workers }, (_, worker) => chunksFor(loop, worker))
        const given = new Uint8Array(items)
        while (asking.length > 0) {
          const at = (turns.next().value ?? 0) % asking.length
          const next = asking[at]?.next()
          if (!next || next.done) asking.splice(at, 1)
          else {
            expect(next.value.to).toBeGreaterThan(next.value.from)
            for (let item = next.value.from; item < next.value.to; item++) given[item]++
          }
        }
        expect(given.every((times) => times === 1)).toBe(true)
      }),
    )
  })
})

it('gives chunks of one size by the dynamic schedule, shrinking ones by the guided', () => {
  const sizes = (schedule: 'dynamic' | 'guided') =>
    [...chunksFor(sharedLoop({ schedule, items: 100, workers: 2, chunk: 8 }), 0)].map(({ from, to }) => to - from)
  expect(sizes('dynamic')).toEqual([...new Array(12).fill(8), 4])
  expect(sizes('guided')).toEqual([25, 18, 14, 10, 8, 8, 8, 8, 1])
})

it('knows its Fibonacci numbers', () => {
  expect(Array.from({ length: 11 }, (_, n) => fib(n))).toEqual([0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55])
})
