import { describe, expect, it } from 'vitest'
import { awaitNothing, callFunctions, measure, turnLoop } from '../../src/ladder/ladder.ts'

describe('a rung', () => {
  it.each([
    ['calls', callFunctions],
    ['microtasks', awaitNothing],
    ['turns of the event loop', turnLoop],
  ])('has a time for each sample: %s', async (name, trip) => {
    const begin = performance.now()
    const times = await measure({ name, batch: 1_000, trip }, 20)
    expect(times).toHaveLength(20)
    // The time of one trip, of which a sample has 1,000.
    const tookNs = (performance.now() - begin) * 1e6
    expect(times.reduce((sum, ns) => sum + ns, 0) * 1_000).toBeLessThanOrEqual(tookNs)
  })

  it('makes as many trips in a row as its batch says, and takes its share of the samples', async () => {
    const trips: number[] = []
    expect(await measure({ name: 'slow', batch: 7, share: 10, trip: (times) => trips.push(times) }, 45)).toHaveLength(5)
    expect(trips).toEqual([7, 7, 7, 7, 7])
  })

  it('makes its trips at the same time if it has several', async () => {
    const barrier = Promise.withResolvers<void>()
    let waiting = 0
    const trip = async () => {
      if (++waiting === 3) barrier.resolve()
      await barrier.promise
    }
    expect(await measure({ name: 'together', trip: [trip, trip, trip] }, 3)).toHaveLength(3)
  })

  it('stops when it is cancelled', async () => {
    await expect(measure({ name: 'cancelled', trip: () => {} }, 10, AbortSignal.abort())).rejects.toThrow('abort')
  })
})
