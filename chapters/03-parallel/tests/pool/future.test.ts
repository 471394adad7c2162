/** Futures under forced orders of events, and on real threads. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allSettled, asCompleted, Future, firstCompleted, submit } from '../../src/pool/future.ts'
import { WorkerPool } from '../../src/pool/pool.ts'
import { threads } from '../../src/pool/workers.ts'

/** A future whose every step the test takes. */
function controlled<T = string>() {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  let onStart = () => {}
  const future = new Future<T>((signal, start) => {
    onStart = start
    signal.addEventListener('abort', () => reject(signal.reason))
    return promise
  })
  return { future, start: () => onStart(), resolve, reject }
}

describe('a future', () => {
  it('is pending, running, done', async () => {
    const { future, start, resolve } = controlled()
    expect(future.state).toBe('pending')
    start()
    expect(future.state).toBe('running')
    resolve('result')
    expect(await future.result()).toBe('result')
    expect(future.state).toBe('done')
    expect(future.cancel()).toBe(false)
    expect(await future.result(1)).toBe('result')
  })

  it('is failed with the error of its task, however often it is asked', async () => {
    const { future, start, reject } = controlled()
    start()
    reject(new Error('a bug'))
    await expect(future.result()).rejects.toThrow('a bug')
    await expect(future.result(1_000)).rejects.toThrow('a bug')
    expect(future.state).toBe('failed')
  })

  it('limits the wait, not the task', async () => {
    const { future, start, resolve } = controlled()
    start()
    await expect(future.result(1)).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(future.state).toBe('running')
    resolve('late')
    expect(await future.result(1_000)).toBe('late')
  })

  it('can be waited for as long as one likes', async () => {
    const { future, resolve } = controlled()
    const waiting = [2 ** 31, Infinity].map((timeoutMs) => future.result(timeoutMs))
    await expect(future.result(Number.NaN)).rejects.toThrow('timeoutMs: received NaN; accepts milliseconds from 0')
    // Longer than a timer that is too long would take to fire.
    await expect(future.result(20)).rejects.toMatchObject({ name: 'TimeoutError' })
    resolve('result')
    expect(await Promise.all(waiting)).toEqual(['result', 'result'])
  })

  it.each([true, false])('is cancelled at once and for good, running: %s', async (running) => {
    const { future, start, resolve } = controlled()
    if (running) start()
    expect(future.cancel()).toBe(true)
    expect(future.state).toBe('cancelled')
    resolve('too late')
    await expect(future.result()).rejects.toMatchObject({ name: 'AbortError' })
    start()
    expect(future.state).toBe('cancelled')
    expect(future.cancel()).toBe(false)
  })
})

describe('several futures', () => {
  it('are at least one if the first is waited for', async () => {
    await expect(firstCompleted([])).rejects.toThrow(RangeError)
    expect(await allSettled([])).toEqual([])
    expect(await Array.fromAsync(asCompleted([]))).toEqual([])
  })

  it('come as they complete, in any order and by any end', async () => {
    const how = fc.constantFrom('resolve', 'reject', 'cancel')
    const order = fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 })
    await fc.assert(
      fc.asyncProperty(order, fc.array(how, { minLength: 5, maxLength: 5 }), async (order, ways) => {
        const all = order.map(() => controlled())
        const futures = all.map(({ future }) => future)
        const first = firstCompleted(futures)
        const settled = allSettled(futures)
        const completing = asCompleted(futures)
        for (const [turn, at] of order.entries()) {
          const { future, resolve, reject } = all[at] as ReturnType<typeof controlled>
          const next = completing.next()
          if (ways[at] === 'resolve') resolve('result')
          else if (ways[at] === 'reject') reject(new Error('a bug'))
          else future.cancel()
          expect((await next).value).toBe(future)
          if (turn === 0) expect(await first).toBe(future)
        }
        expect((await completing.next()).done).toBe(true)
        expect(await settled).toEqual(futures)
        const states = { resolve: 'done', reject: 'failed', cancel: 'cancelled' }
        expect(futures.map(({ state }) => state)).toEqual(ways.map((way) => states[way as keyof typeof states]))
      }),
    )
  })
})

describe('on a pool', () => {
  it('follows the task, and cancelling costs a worker, not the pool', async () => {
    await using pool = new WorkerPool<number, number>(threads(new URL('../../src/fib/fib.ts', import.meta.url)), 1)
    const [endless, queued, last] = [submit(pool, 60), submit(pool, 10), submit(pool, 20)]
    expect([endless, queued, last].map(({ state }) => state)).toEqual(['running', 'pending', 'pending'])
    expect(queued.cancel()).toBe(true)
    expect(endless.cancel()).toBe(true)
    expect(await last.result()).toBe(6765)
    await expect(submit(pool, -1).result()).rejects.toThrow('there is no fib(-1)')
  })
})
