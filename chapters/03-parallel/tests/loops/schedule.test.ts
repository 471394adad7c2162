/** The schedules of a loop, and how evenly they share out the work. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { arrive, chunksFor, idleShare, schedules, sharedLoop } from '../../src/loops/schedule.ts'

describe.each(schedules)('the %s schedule', (schedule) => {
  it('hands out every item exactly once, in whatever order the workers ask', () => {
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

it.each([0, -1, 0.5, Number.NaN, Infinity, 2 ** 31])(
  'refuses chunks of %d, with which nobody gets to the end',
  (chunk) => {
    const loop = { schedule: 'dynamic', items: 10, workers: 2, chunk } as const
    expect(() => sharedLoop(loop)).toThrow(`chunk: received ${chunk}; accepts a whole number from 1 to 2147483647`)
    expect(() => sharedLoop({ ...loop, chunk: 1, items: chunk || -1 })).toThrow('items: received')
  },
)

it('gives each worker one share by the static schedule, whatever the chunk, and none where there are too few items', () => {
  expect(schedules).toEqual(['static', 'dynamic', 'guided'])
  const shares = (items: number) => {
    const loop = sharedLoop({ schedule: 'static', items, workers: 3, chunk: 1 })
    return [0, 1, 2].map((worker) => [...chunksFor(loop, worker)])
  }
  expect(shares(100)).toEqual([[{ from: 0, to: 33 }], [{ from: 33, to: 66 }], [{ from: 66, to: 100 }]])
  expect(shares(1)).toEqual([[], [], [{ from: 0, to: 1 }]])
})

it('counts who has arrived beside the next item, and lets the last one pass', () => {
  const loop = sharedLoop({ schedule: 'dynamic', items: 3, workers: 2, chunk: 1 })
  // The other worker is there.
  Atomics.store(loop.shared, 1, 1)
  arrive(loop)
  expect([...loop.shared]).toEqual([0, 2])
})

it('gives chunks of one size by the dynamic schedule, shrinking ones by the guided', () => {
  const sizes = (schedule: 'dynamic' | 'guided') =>
    [...chunksFor(sharedLoop({ schedule, items: 100, workers: 2, chunk: 8 }), 0)].map(({ from, to }) => to - from)
  expect(sizes('dynamic')).toEqual([...new Array(12).fill(8), 4])
  expect(sizes('guided')).toEqual([25, 18, 14, 10, 8, 8, 8, 8, 1])
})

it('tells how long workers had no chunk', () => {
  const log = (worker: number, ...lengths: number[]) => {
    const chunks = lengths.map((length, at) => ({ from: 0, to: 1, beginMs: 100 * at, endMs: 100 * at + length }))
    return { worker, primes: 0, chunks }
  }
  expect(idleShare([log(0, 40, 60), log(1, 100)])).toBe(0)
  expect(idleShare([log(0, 40, 60), log(1, 50)])).toBe(0.25)
  expect(idleShare(new Array(200_000).fill(log(0, 50)))).toBe(0)
})
