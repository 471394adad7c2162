/** The ring against a model on one thread, and between threads with any producers, consumers and times of closing. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Ring, ringMemory } from '../../src/ring/ring.ts'
import { itemBytes } from '../../src/ring/ring.worker.ts'
import { RingThreads } from '../../src/ring/ring-threads.ts'

const capacities = fc.constantFrom(2, 4, 8, 64)
// The position wraps round after 2³¹ items.
const firsts = fc.constantFrom(0, 2 ** 31 - 8, -16, -2)

describe('a ring on one thread', () => {
  it('is a queue of bounded size', () => {
    const step = fc.constantFrom('put', 'put', 'take', 'take', 'close')
    fc.assert(
      fc.property(capacities, firsts, fc.array(step, { maxLength: 200 }), (capacity, first, steps) => {
        const ring = new Ring(ringMemory(capacity, 8, first))
        const model: number[] = []
        const into = new Int32Array(2)
        let closed = false
        let number = 0
        for (const step of steps) {
          if (step === 'close') {
            ring.close()
            closed = true
          } else if (step === 'put') {
            // The thread would wait.
            if (model.length === capacity && !closed) continue
            expect(ring.put(Int32Array.of(++number, -number))).toBe(!closed)
            if (!closed) model.push(number)
          } else {
            if (model.length === 0 && !closed) continue
            const expected = model.shift()
            expect(ring.take(into)).toBe(expected !== undefined)
            if (expected !== undefined) expect(Array.from(into)).toEqual([expected, -expected])
          }
          expect(ring.size).toBe(model.length)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('takes no item of another length', () => {
    const ring = new Ring(ringMemory(2, 8))
    const message = (words: number) => new RangeError(`item: received ${words} words; accepts 2`)
    for (const words of [0, 1, 3]) expect(() => ring.put(new Int32Array(words))).toThrow(message(words))
    expect(ring.size).toBe(0)
    ring.put(Int32Array.of(1, 2))
    for (const words of [0, 1, 3]) expect(() => ring.take(new Int32Array(words))).toThrow(message(words))
    expect(ring.size).toBe(1)
  })

  it.each([
    [3, 64, /a power of two from 2 to 16777216 slots, not 3/],
    [0, 64, /not 0/],
    [2 ** 25, 64, /not 33554432/],
    [8, 6, /a multiple of 4 bytes, not 6/],
    [8, 0, /not 0/],
    [8, '8' as unknown as number, /not 8/],
    [8, 2 ** 40, /at most 4294967296 bytes, not 8 slots of 1099511627776/],
  ])('of %i slots of %i bytes is refused', (capacity, bytes, message) => {
    expect(() => ringMemory(capacity, bytes)).toThrow(message)
  })

  it.each([1, -1, 0.5, Number.NaN, Infinity, 2 ** 31])('that begins at %s is refused', (first) => {
    expect(() => ringMemory(2, 4, first)).toThrow(`a ring begins at an even 32-bit integer, not ${first}`)
  })
})

describe('a ring between threads', () => {
  let threads: RingThreads
  beforeAll(() => {
    threads = new RingThreads(6)
  })
  afterAll(() => threads[Symbol.asyncDispose]())

  it('loses and doubles nothing, keeps the order of each producer, and drains after a close by any thread at any time', async () => {
    const closeAfter = fc.option(fc.nat(150), { nil: undefined, freq: 3 })
    const producer = fc.record({ items: fc.nat(300), closeAfter })
    const consumer = fc.record({ closeAfter })
    const schedule = fc.record({
      capacity: capacities,
      first: firsts,
      producers: fc.array(producer, { minLength: 1, maxLength: 3 }),
      consumers: fc.array(consumer, { minLength: 1, maxLength: 3 }),
    })
    await fc.assert(
      fc.asyncProperty(schedule, async ({ capacity, first, producers, consumers }) => {
        const memory = ringMemory(capacity, itemBytes, first)
        const consuming = consumers.map(({ closeAfter }, at) =>
          threads.run(3 + at, { do: 'consume', memory, keep: true, closeAfter }),
        )
        const producing = producers.map((job, producer) =>
          threads.run(producer, { do: 'produce', memory, producer, ...job }),
        )
        const put = await Promise.all(producing)
        // One of them may have closed it already.
        new Ring(memory).close()
        const taken = await Promise.all(consuming)

        const numbers: number[][] = producers.map(() => [])
        for (const { kept, wrong } of taken) {
          expect(wrong).toBe(0)
          const last = new Map<number, number>()
          for (let at = 0; at < kept.length; at += 2) {
            const [producer = -1, number = -1] = kept.slice(at, at + 2)
            expect(number).toBeGreaterThan(last.get(producer) ?? -1)
            last.set(producer, number)
            numbers[producer]?.push(number)
          }
        }
        // Every accepted item came out, once; and nothing is accepted after the first close.
        for (const [producer, { items }] of put.entries()) {
          expect(numbers[producer]?.sort((a, b) => a - b)).toEqual(Array.from({ length: items }, (_, number) => number))
          const { closeAfter } = producers[producer] ?? {}
          if (closeAfter !== undefined) expect(items).toBeLessThanOrEqual(closeAfter)
        }
        const nobodyCloses = [...producers, ...consumers].every(({ closeAfter }) => closeAfter === undefined)
        if (nobodyCloses) expect(put.map(({ items }) => items)).toEqual(producers.map(({ items }) => items))
        expect(new Ring(memory).size).toBe(0)
      }),
      { numRuns: 150 },
    )
  })

  it('wakes every thread that waits when it is closed', async () => {
    const empty = ringMemory(8, itemBytes)
    const waiting = [0, 1, 2].map((thread) => threads.run(thread, { do: 'consume', memory: empty }))
    const full = ringMemory(2, itemBytes)
    const blocked = [3, 4].map((thread) => threads.run(thread, { do: 'produce', memory: full, producer: 0, items: 9 }))
    // Both slots are taken: the producers wait for room, or soon will.
    const ring = new Ring(full)
    while (ring.size < 2) await new Promise((resolve) => setImmediate(resolve))
    new Ring(empty).close()
    ring.close()
    expect((await Promise.all(waiting)).map(({ items }) => items)).toEqual([0, 0, 0])
    const put = (await Promise.all(blocked)).map(({ items }) => items)
    expect(put.reduce((sum, items) => sum + items, 0)).toBe(2)
  })

  it('passes many items through few slots, each exactly once', async () => {
    const memory = ringMemory(4, itemBytes)
    const seen = { counts: new Int32Array(new SharedArrayBuffer(4 * 90_000)), items: 30_000 }
    const consuming = [3, 4, 5].map((thread) => threads.run(thread, { do: 'consume', memory, seen }))
    const producing = [0, 1, 2].map((producer) =>
      threads.run(producer, { do: 'produce', memory, producer, items: 30_000 }),
    )
    await Promise.all(producing)
    new Ring(memory).close()
    const logs = await Promise.all(consuming)
    expect(logs.reduce((sum, { items }) => sum + items, 0)).toBe(90_000)
    expect(logs.map(({ wrong }) => wrong)).toEqual([0, 0, 0])
    expect(seen.counts.every((times) => times === 1)).toBe(true)
  })

  it('is compared with messages that arrive undamaged', async () => {
    expect(await threads.post(5_000, 1)).toMatchObject({ items: 5_000, wrong: 0 })
    expect(await threads.post(5_001, 256)).toMatchObject({ items: 5_001, wrong: 0 })
  })
})
