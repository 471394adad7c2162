import { until } from '@repo/common/async/until'
import { Piscina } from 'piscina'
import { afterAll, describe, expect, it } from 'vitest'
import { type Counting, memoryFor, type Span, total } from '../../src/race/counting.ts'
import { Mutex } from '../../src/race/mutex.ts'

// More threads than most machines have cores: some are always taken off their core at an unlucky moment.
const threads = 4
const pool = new Piscina<{ counting: Counting; thread: number }, Span>({
  filename: new URL('../../src/race/counting.worker.ts', import.meta.url).href,
  minThreads: threads,
  maxThreads: threads,
})
afterAll(() => pool.destroy())

async function counted(way: Counting['way'], threads: number, additions: number): Promise<number> {
  const counting = { way, threads, additions, memory: memoryFor(threads) }
  await Promise.all(Array.from({ length: threads }, (_, thread) => pool.run({ counting, thread })))
  return total(counting.memory)
}

describe('threads that add to a counter', () => {
  it.each(['atomic', 'mutex', 'adjacent', 'padded'] as const)(
    'lose nothing when it is %s, in 200 rounds',
    async (way) => {
      for (let round = 0; round < 200; round++) {
        const used = 2 + (round % (threads - 1))
        expect(await counted(way, used, 5_000)).toBe(used * 5_000)
      }
    },
  )

  it('lose all updates but one when all have read before any writes', async () => {
    for (let used = 1; used <= threads; used++) expect(await counted('in step', used, 1)).toBe(1)
  })

  it('never count more than they add without protection', async () => {
    const results = []
    for (let round = 0; round < 20; round++) results.push(await counted('unprotected', 2, 100_000))
    for (const result of results) {
      expect(result).toBeGreaterThan(0)
      expect(result).toBeLessThanOrEqual(200_000)
    }
    expect(await counted('unprotected', 1, 100_000)).toBe(100_000)
  })
})

describe('a mutex', () => {
  const state = () => new Int32Array(new SharedArrayBuffer(8))

  it('has the three states of Drepper’s third one', () => {
    const shared = state()
    const mutex = new Mutex(shared, 1)
    mutex.lock()
    expect([...shared]).toEqual([0, 1])
    mutex.unlock()
    expect([...shared]).toEqual([0, 0])
    // Somebody else has it, and somebody waits.
    shared[1] = 2
    mutex.unlock()
    expect([...shared]).toEqual([0, 0])
  })

  it('is taken as contended by who has waited, so that the next unlock wakes the others', async () => {
    const shared = state()
    shared[0] = 1
    const filename = new URL('../fixtures/lock.ts', import.meta.url).href
    await using other = new Piscina<{ shared: typeof shared }, number>({ filename, maxThreads: 1 })
    const locked = other.run({ shared })
    // It waits: it has said so in the state.
    await until(() => Atomics.load(shared, 0) === 2, { timeoutMs: 60_000 })
    new Mutex(shared).unlock()
    expect(await locked).toBe(2)
  })
})
