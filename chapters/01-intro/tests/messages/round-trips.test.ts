import { getEventListeners } from 'node:events'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ways } from '../../examples/messages.ts'
import { payloadOf, sumOf } from '../../src/messages/payload.ts'
import { type Receivers, sizeList, startReceivers } from '../../src/messages/round-trips.ts'

describe('data handed over', () => {
  let receivers: Receivers
  beforeAll(async () => {
    receivers = await startReceivers()
  })
  afterAll(() => receivers[Symbol.asyncDispose]())

  it.each(Object.entries(ways))('arrives in full by %s, again and again', async (_, send) => {
    for (const bytes of [4, 1_000, 70_000, 5_000_000]) {
      const payload = payloadOf(bytes)
      const begin = performance.now()
      let ms = 0
      for (let round = 0; round < 3; round++) ms += await receivers.roundTrip(payload, send)
      expect(ms).toBeLessThanOrEqual(performance.now() - begin)
      expect(payload.plain.byteLength).toBe(bytes)
      expect(sumOf(payload.plain)).toBe(payload.sum)
    }
  })

  it.each(Object.entries(ways))('is noticed if it is not what was sent, by %s', async (_, send) => {
    const payload = { ...payloadOf(1_000), sum: 1 }
    await expect(receivers.roundTrip(payload, send)).rejects.toThrow(/1000 bytes arrived with sum -?\d+, not 1/)
  })

  it('is refused once the signal is aborted', async () => {
    const stopping = new AbortController()
    await using stopped = await startReceivers(stopping.signal)
    stopping.abort(new Error('enough'))
    await expect(stopped.roundTrip(payloadOf(1_000), ways.clone)).rejects.toThrow('enough')
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

describe('lists of sizes', () => {
  it.each([
    ['1kB', [1e3]],
    ['4, 66 B,1kB,1 MB,1GB', [4, 64, 1e3, 1e6, 1e9]],
  ])('read %s', (text, numbers) => {
    expect(sizeList.parse(text)).toEqual(numbers)
  })

  it.each(['', '1kB,', '2kB,1kB', '1kB,1000', '1 TB', '2GB', '3', '-1', '1.5kB', 'kB', '1e3'])(
    'refuse "%s"',
    (text) => {
      expect(sizeList.safeParse(text).error?.issues[0]?.message).toMatch(/^up to 100 different sizes/)
    },
  )
})
