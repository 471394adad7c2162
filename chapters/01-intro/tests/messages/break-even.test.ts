import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { breakEven, countWords, measureWorks, messagesOf, workPerByte } from '../../src/messages/break-even.ts'
import type { Trips } from '../../src/messages/round-trips.ts'

/** Round trips that all take the same time, and a sum on the spot that takes `hereNsPerByte`. */
function trips(sizes: number[], ms: number, nsPerByte: number, hereNsPerByte = 0): Trips<'clone'>[] {
  return sizes.map((bytes) => {
    const trip = { ms: ms + (bytes * nsPerByte) / 1e6, gigabytesPerSecond: 1 }
    const here = { ms: (bytes * hereNsPerByte) / 1e6, gigabytesPerSecond: 1 }
    return { bytes, here, clone: trip }
  })
}

describe('the size at which parallel work begins to pay', () => {
  const sizes = [1e3, 1e4, 1e5, 1e6, 1e7]

  it('is where the work on what is sent takes longer than the sending', () => {
    // 0.1 ms and 1 ns per byte: work of 2 ns per byte pays off from 100,000 bytes, of 11 ns from 10,000.
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

  it('is where half here and half there is as fast as all of it here', () => {
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
  const text = 'It was the best of times, it was the worst of times. '.repeat(200)
  const begin = performance.now()
  const works = await measureWorks(text)
  const tookNs = (performance.now() - begin) * 1e6
  expect(works.map(({ work }) => work)).toEqual(['adding up', 'SHA-256', 'counting words', 'compressing'])
  expect(works.reduce((sum, { nsPerByte }) => sum + nsPerByte * text.length, 0)).toBeLessThanOrEqual(tookNs)
  expect(countWords(Buffer.from('Call me Ishmael. Some years ago—never mind how long'))).toBe(10)
})
