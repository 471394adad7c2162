/** The pools side by side, and what is said of a pool that does not keep its promises. */
import { describe, expect, it } from 'vitest'
import { faultNames, faults, provoke } from '../../src/peers/faults.ts'
import { type AnyPool, emptyTasks, poolNames, pools } from '../../src/peers/pools.ts'

it.each(poolNames)('%s does tasks, and passes on the error of one that fails', async (name) => {
  await using pool = pools[name]({ workers: 1, heapMb: 64 })
  const latencies: number[] = []
  const { signal } = new AbortController()
  expect(await emptyTasks(pool, { calls: 2, tasks: 3, latencies, signal })).toBeGreaterThan(0)
  expect(latencies).toHaveLength(2)
  await expect(pool.run({ do: 'throw' })).rejects.toThrow('a bug in the task')
  expect(await pool.run({ do: 'echo', value: 'again' })).toBe('again')
})

describe('a pool in which one task goes wrong', () => {
  const patient = { workers: 2, patienceMs: 200 }

  it.each(faultNames)('is good if it is ours: %s', async (fault) => {
    const pool = pools.ours({ workers: 1, heapMb: 32 })
    // A deadline that no task but one that hangs could miss, and patience that only a broken pool needs.
    const timeoutMs = fault === 'hangs' ? 300 : undefined
    const report = await provoke(pool, { do: faults[fault] }, { workers: 1, timeoutMs, patienceMs: 60_000 })
    expect(report).toMatchObject({ settled: true, others: 5, of: 5, usable: true, closes: true })
  })

  it('is good if it fails that task and does the others', async () => {
    const pool: AnyPool = {
      run: async (task) => {
        if (task.do === 'throw') throw new RangeError('a bug\nin the task')
        return task.do === 'echo' ? task.value : undefined
      },
      [Symbol.asyncDispose]: async () => {},
    }
    expect(await provoke(pool, { do: 'throw' }, patient)).toEqual({
      cause: 'RangeError: a bug in the task',
      settled: true,
      others: 10,
      of: 10,
      usable: true,
      closes: true,
      patienceMs: 200,
    })
  })

  it('is not said to leave a task open for ever: only for as long as it was watched', async () => {
    const open = Promise.withResolvers<never>()
    const pool: AnyPool = {
      run: (task) => (task.do === 'echo' ? Promise.resolve(task.value) : open.promise),
      [Symbol.asyncDispose]: async () => open.reject(new Error('the pool has gone')),
    }
    expect(await provoke(pool, { do: 'exit' }, patient)).toMatchObject({
      cause: "still open after 0.2 s; at the pool's end: Error: the pool has gone",
      settled: false,
      others: 10,
      usable: true,
      closes: true,
    })
  })

  it('is known by what it does not do', async () => {
    const never = new Promise<never>(() => {})
    const pool: AnyPool = { run: () => never, [Symbol.asyncDispose]: () => never }
    expect(await provoke(pool, { do: 'hang' }, patient)).toEqual({
      cause: 'still open after 0.2 s',
      settled: false,
      others: 0,
      of: 10,
      usable: false,
      closes: false,
      patienceMs: 200,
    })
  })
})
