import { Piscina } from 'piscina'
import { afterAll, describe, expect, it } from 'vitest'
import { increments, inStep } from '../../examples/race.ts'
import { type Counting, type Increment, memoryFor, type Span, total } from '../../src/race/counting.ts'

// More threads than most machines have cores: some are always taken off their core at an unlucky moment.
const threads = 4
const pool = new Piscina<Counting, Span>({
  filename: new URL('../../src/race/counting.worker.ts', import.meta.url).href,
  minThreads: threads,
  maxThreads: threads,
})
afterAll(() => pool.destroy())

async function counted(increment: Increment, threads: number, additions: number): Promise<number> {
  const task = { increment: String(increment), memory: memoryFor(threads), stride: 32, threads, additions }
  await Promise.all(Array.from({ length: threads }, (_, thread) => pool.run({ ...task, thread })))
  return total(task.memory)
}

describe('threads that add to a counter', () => {
  it.each(['atomic', 'mutex', 'adjacent', 'padded'] as const)(
    'lose nothing when it is %s, in 200 rounds',
    async (way) => {
      for (let round = 0; round < 200; round++) {
        const used = 2 + (round % (threads - 1))
        expect(await counted(increments[way], used, 5_000)).toBe(used * 5_000)
      }
    },
  )

  it('lose all updates but one when all have read before any writes', async () => {
    for (let used = 1; used <= threads; used++) expect(await counted(inStep, used, 1)).toBe(1)
  })

  it('meet as often as they want to', async () => {
    // Each time all read the same, and one addition of theirs survives.
    expect(
      await counted(
        ({ counters, barrier }) => {
          const read = counters[0]
          barrier()
          counters[0] = read + 1
          barrier()
        },
        threads,
        1_000,
      ),
    ).toBe(1_000)
  })

  it('never count more than they add without protection', async () => {
    const results = []
    for (let round = 0; round < 20; round++) results.push(await counted(increments.unprotected, 2, 100_000))
    for (const result of results) {
      expect(result).toBeGreaterThan(0)
      expect(result).toBeLessThanOrEqual(200_000)
    }
    expect(await counted(increments.unprotected, 1, 100_000)).toBe(100_000)
  })
})
