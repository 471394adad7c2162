import { until } from '@repo/common/async/until'
import { Piscina } from 'piscina'
import { describe, expect, it } from 'vitest'
import { Mutex } from '../../src/race/mutex.ts'

describe('a mutex', () => {
  const state = () => new Int32Array(new SharedArrayBuffer(8))

  it('has the three states of Drepper’s third mutex', () => {
    const shared = state()
    const mutex = new Mutex(shared, 1)
    mutex.lock()
    expect([...shared]).toEqual([0, 1])
    mutex.unlock()
    expect([...shared]).toEqual([0, 0])
    // Another thread has it, and a third one waits.
    shared[1] = 2
    mutex.unlock()
    expect([...shared]).toEqual([0, 0])
  })

  it('is taken as contended after waiting, so that the next unlock wakes the others', async () => {
    const shared = state()
    shared[0] = 1
    const filename = new URL('../fixtures/lock.worker.ts', import.meta.url).href
    await using other = new Piscina<{ shared: typeof shared }, number>({ filename, maxThreads: 1 })
    const locked = other.run({ shared })
    // Its waiting shows in the state.
    await until(() => Atomics.load(shared, 0) === 2, { timeoutMs: 60_000 })
    new Mutex(shared).unlock()
    expect(await locked).toBe(2)
  })
})
