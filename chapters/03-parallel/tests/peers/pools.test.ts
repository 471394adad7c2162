/** The pools side by side, and what is said of a pool that does not keep its promises. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import { faultNames, faults, provoke } from '../../src/peers/faults.ts'
import { type AnyPool, pools } from '../../src/peers/pools.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

it('a reader is shown four pools, and what a fault does to each', async () => {
  const args = ['--quick', '--tasks', '500', '--calls', '50', '--workers', '1', '--timeout', '300']
  const run = await runExample(chapter, 'pool', args)
  expect(run, run.stderr).toMatchObject({ code: 0, signal: null })
  expect(await run.leftBehind()).toEqual([])
  const shown = run.stdout
  const errors = [
    ['throws', 'RangeError: a bug in the task'],
    ['exits', 'Error: the worker exited with code 3 during its task'],
    ['hangs', 'TimeoutError: no result within 300 ms: its worker was stopped'],
    ['out of memory', 'Error: the worker ran out of memory, its limit is 32 MB: give it smaller tasks'],
  ]
  for (const pool of ['ours', 'piscina', 'tinypool', 'workerpool']) {
    expect(shown).toMatch(new RegExp(`^ ${pool} +[1-9][\\d,]* +\\d+ µs +\\d+ µs `, 'm'))
    for (const [fault] of errors) expect(shown).toMatch(new RegExp(`^ ${fault} +${pool} +\\d+ of 5 `, 'm'))
  }
  for (const [fault, error] of errors) expect(shown).toMatch(new RegExp(`^ ${fault} +${error} *$`, 'm'))
  // What is not settled may be settled later: the table says for how long it was watched.
  if (/ no | still open /.test(shown)) expect(shown).toMatch(/^"no" and "still open" mean: not within 2\.3 s of/m)
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
