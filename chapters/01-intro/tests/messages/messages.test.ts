import { getEventListeners } from 'node:events'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ascendingList, parseSize } from '../../src/lists.ts'
import { breakEven, countWords, measureWorks, messagesOf, workPerByte } from '../../src/messages/breakeven.ts'
import { payloadOf, type Receivers, startReceivers, type Trips, ways } from '../../src/messages/messages.ts'
import { sumOf } from '../../src/messages/payload.ts'

describe('data handed over', () => {
  let receivers: Receivers
  beforeAll(async () => {
    receivers = await startReceivers()
  })
  afterAll(() => receivers[Symbol.asyncDispose]())

  it.each(ways)('arrives in full by %s, again and again', async (way) => {
    for (const bytes of [4, 1_000, 70_000, 5_000_000]) {
      const payload = payloadOf(bytes)
      for (let round = 0; round < 3; round++) expect(await receivers.roundTrip(way, payload)).toBeGreaterThan(0)
      expect(payload.plain.byteLength).toBe(bytes)
      expect(sumOf(payload.plain)).toBe(payload.sum)
    }
  })

  it.each(ways)('is noticed when it is not what was sent, by %s', async (way) => {
    const payload = { ...payloadOf(1_000), sum: 1 }
    await expect(receivers.roundTrip(way, payload)).rejects.toThrow(/1000 bytes arrived with sum -?\d+, not 1/)
  })

  it('is refused once nobody wants it any more', async () => {
    const stopping = new AbortController()
    await using stopped = await startReceivers(stopping.signal)
    stopping.abort(new Error('enough'))
    await expect(stopped.roundTrip('clone', payloadOf(1_000))).rejects.toThrow('enough')
    await stopped[Symbol.asyncDispose]()
    expect(getEventListeners(stopping.signal, 'abort')).toEqual([])
  })
})

it('adds up in 32 bits, whatever the length', () => {
  fc.assert(
    fc.property(fc.int32Array({ maxLength: 50 }), (numbers) => {
      const exact = [...numbers].reduce((sum, number) => sum + BigInt(number), 0n)
      expect(sumOf(numbers)).toBe(Number(BigInt.asIntN(32, exact)))
    }),
  )
})

/** Round trips that all take the same time, and a sum on the spot that takes `hereNsPerByte`. */
function trips(sizes: number[], ms: number, nsPerByte: number, hereNsPerByte = 0): Trips[] {
  return sizes.map((bytes) => {
    const trip = { ms: ms + (bytes * nsPerByte) / 1e6, gigabytesPerSecond: 1 }
    const here = { ms: (bytes * hereNsPerByte) / 1e6, gigabytesPerSecond: 1 }
    return { bytes, here, share: trip, transfer: trip, clone: trip, process: trip }
  })
}

describe('the size from which parallel work pays', () => {
  const sizes = [1e3, 1e4, 1e5, 1e6, 1e7]

  it('is where the work on what is sent takes longer than the sending', () => {
    // 0.1 ms and 1 ns per byte: work of 2 ns per byte pays from 100,000 bytes on, of 11 ns from 10,000.
    const messages = messagesOf(trips(sizes, 0.1, 1), 'clone')
    expect(breakEven(messages, 2.01)).toBe(1e5)
    expect(breakEven(messages, 11.01)).toBe(1e4)
    expect(breakEven(messages, 1_000)).toBe(1e3)
    expect(breakEven(messages, 1)).toBeUndefined()
  })

  it('does not count the work of adding up twice', () => {
    const [first, ...others] = messagesOf(trips(sizes, 0.1, 1, 0.5), 'clone')
    expect(first).toEqual({ bytes: 1e3, ms: 0.101 })
    expect(others.at(-1)?.ms).toBeCloseTo(5.1, 9)
  })

  it('is where one half here and one half there is as fast as all here', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 1e9 }), fc.double({ min: 1e-3, max: 1e3, noNaN: true }), (bytes, ms) => {
        const nsPerByte = workPerByte({ bytes, ms }, 0.5)
        const alone = 2 * bytes * nsPerByte
        const together = bytes * nsPerByte + ms * 1e6
        expect(together / alone).toBeCloseTo(1, 9)
        // With four times as much work the message is the fifth of the time that an efficiency of 80 % leaves.
        expect(workPerByte({ bytes, ms }, 0.8) / nsPerByte).toBeCloseTo(4, 9)
      }),
    )
  })
})

it('measures real work on a text', async () => {
  const works = await measureWorks('It was the best of times, it was the worst of times. '.repeat(200))
  expect(works.map(({ work }) => work)).toEqual(['adding up', 'SHA-256', 'counting words', 'compressing'])
  for (const { nsPerByte } of works) expect(nsPerByte).toBeGreaterThan(0)
  expect(countWords(Buffer.from('Call me Ishmael. Some years ago—never mind how long'))).toBe(10)
})

describe('lists', () => {
  const sizes = ascendingList('sizes', parseSize)

  it.each([
    ['1kB', [1e3]],
    ['4, 64 B,1kB,1 MB,2GB', [4, 64, 1e3, 1e6, 2e9]],
  ])('read %s', (text, numbers) => {
    expect(sizes.parse(text)).toEqual(numbers)
  })

  it.each(['', '1kB,', '2kB,1kB', '1kB,1000', '1 TB', '-1', '1.5kB', 'kB', '1e3'])('refuse "%s"', (text) => {
    expect(sizes.safeParse(text).error?.issues[0]?.message).toBe('sizes')
  })
})
