import { describe, expect, it } from 'vitest'
import { Countdown, countdown, isPrime, naturals, slowCountdown } from '../../src/coroutines/iterators.ts'

describe('iterators', () => {
  it('are the same sequence in all three forms', async () => {
    for (const from of [0, 1, 5]) {
      const expected = Array.from({ length: from }, (_, at) => from - at)
      expect([...new Countdown(from)]).toEqual(expected)
      expect([...countdown(from)]).toEqual(expected)
      expect(await Array.fromAsync(slowCountdown(from, 0))).toEqual(expected)
    }
  })

  it('of a class start again each time; a generator ends once', () => {
    const object = new Countdown(2)
    expect([[...object], [...object]]).toEqual([
      [2, 1],
      [2, 1],
    ])
    const generator = countdown(2)
    expect([[...generator], [...generator]]).toEqual([[2, 1], []])
  })

  it('make no more than is taken', () => {
    const made: number[] = []
    expect(
      naturals(2, (value) => made.push(value))
        .filter(isPrime)
        .take(5)
        .toArray(),
    ).toEqual([2, 3, 5, 7, 11])
    expect(made).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  it('that wait can be cancelled', async () => {
    await expect(Array.fromAsync(slowCountdown(3, 60_000, AbortSignal.abort()))).rejects.toThrow('abort')
  })
})
