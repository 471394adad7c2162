/** How a client remembers the tasks it waits for: which it asks Redis about, and when. On a Redis that only answers. */
import { EventEmitter } from 'node:events'
import type { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Outcome, type ResultSource, Results, TaskResult } from '../../src/queue/results.ts'

type Fields = (string | null)[]
const open: Fields = ['task', null, null, null, null]
const done = (value: unknown): Fields => ['task', '1', JSON.stringify(value), null, '[]']

/** A client's results, and the ids that each look asked for. */
function client(answer: (id: string) => Fields | Error) {
  const looks: string[][] = []
  const redis = {
    ping: async () => 'PONG',
    pipeline() {
      const ids: string[] = []
      looks.push(ids)
      return {
        hmget: (key: string) => ids.push(key.split(':').at(-1) ?? ''),
        exec: async () =>
          ids.map((id) => {
            const answered = answer(id)
            return answered instanceof Error ? [answered, undefined] : [null, answered]
          }),
      }
    },
  } as unknown as Redis
  const subscriber = Object.assign(new EventEmitter(), { subscribe: async () => 1 }) as unknown as Redis
  const results = new Results(redis, subscriber, 'p', (error) => new Error(`explained: ${error}`))
  const source = { results, redis, prefix: 'p' } as ResultSource
  const result = (id: string) => new TaskResult(source, { id, queue: 'default', task: 'task', ignored: false })
  return { looks, results, result, subscriber }
}

describe('results', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())
  const second = () => vi.advanceTimersByTimeAsync(1_000)

  it('of tasks that are not expected are looked for at once, the others once a second, all of them in turn', async () => {
    const { looks, results, result } = client(() => open)
    const all = Array.from({ length: 2_500 }, (_, at) => result(`default.c.${at}`))
    for (const one of all.slice(1)) results.expect(one)
    for (const one of all) void results.wait(one)
    await vi.advanceTimersByTimeAsync(0)
    expect(looks).toEqual([['default.c.0']])
    await second()
    await second()
    expect(looks.slice(1).map(({ length }) => length)).toEqual([2_000, 2_000])
    expect(new Set(looks.slice(1).flat())).toEqual(new Set(all.map(({ id }) => id)))
    expect(looks[2]?.slice(0, 500)).toEqual(all.slice(2_000).map(({ id }) => id))
    results.close()
  })

  it('are remembered for 200,000 tasks, then for the newer half of them', async () => {
    const { looks, results, result } = client(() => open)
    const all = Array.from({ length: 200_001 }, (_, at) => result(`default.c.${at}`))
    const asked = async (at: number) => {
      looks.length = 0
      const one = all[at]
      if (one) void results.wait(one)
      await vi.advanceTimersByTimeAsync(0)
      return looks.length > 0
    }
    for (const one of all.slice(0, 200_000)) results.expect(one)
    expect(await asked(0)).toBe(false)
    const [last] = all.slice(-1)
    if (last) results.expect(last)
    expect([await asked(1), await asked(100_000), await asked(100_001), await asked(200_000)]).toEqual([
      true,
      true,
      false,
      false,
    ])
    results.close()
  })

  it('that are published are known without a look, and also to those who do not wait yet', async () => {
    const { looks, results, result } = client(() => open)
    const [good, bad, large] = ['1', '2', '3'].map(result)
    if (!good || !bad || !large) throw new Error('there are three')
    for (const one of [good, bad, large]) results.expect(one)
    const waiting = results.wait(good)
    results.receive([
      ['1', 'ok', 7],
      ['2', 'error', 'RangeError', 'no', 'RangeError: no'],
      ['3', 'look'],
      ['4', 'ok', 8],
    ])
    expect([await waiting, good.outcome, bad.outcome]).toMatchObject([
      { ok: true, value: 7 },
      { ok: true, value: 7 },
      { ok: false, error: { message: 'RangeError: no' } },
    ])
    expect([looks, large.outcome]).toEqual([[], undefined])
    // Only a hint was published: whoever waits looks.
    void results.wait(large)
    await vi.advanceTimersByTimeAsync(0)
    expect(looks).toEqual([['3']])
    results.close()
  })

  it('are looked for when a hint comes, when the connection is back, and no longer when nobody waits', async () => {
    const answers: Record<string, Fields> = {}
    const { looks, results, result, subscriber } = client((id) => answers[id] ?? open)
    const [first, second2] = ['1', '2'].map(result)
    if (!first || !second2) throw new Error('there are two')
    for (const one of [first, second2]) results.expect(one)
    const waits: Promise<Outcome>[] = [first, second2].map((one) => results.wait(one))
    answers['1'] = done('large')
    results.receive([['1', 'look']])
    expect(await waits[0]).toEqual({ ok: true, value: 'large' })
    answers['2'] = done('missed')
    subscriber.emit('ready')
    expect(await waits[1]).toEqual({ ok: true, value: 'missed' })
    looks.length = 0
    await second()
    expect(looks).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('fail with the error of their own look, and the others count', async () => {
    const answers: Record<string, Fields | Error> = { bad: new Error('WRONGTYPE'), good: done(7) }
    const { results, result } = client((id) => answers[id] ?? open)
    const waits = ['bad', 'good'].map((id) => results.wait(result(id)))
    const [bad, good] = await Promise.allSettled(waits)
    expect(bad).toMatchObject({ reason: { message: 'explained: Error: WRONGTYPE' } })
    expect(good).toMatchObject({ value: { ok: true, value: 7 } })
    // It may be asked for again.
    answers.bad = done(8)
    expect(await results.wait(result('bad'))).toEqual({ ok: true, value: 8 })
  })

  it('that are waited for twice are asked for once', async () => {
    const { looks, results, result } = client(() => open)
    const [one, two] = [results.wait(result('1')), results.wait(result('1'))]
    await vi.advanceTimersByTimeAsync(0)
    expect(looks).toEqual([['1']])
    results.receive([['1', 'ok', 7]])
    expect(await Promise.all([one, two])).toEqual([
      { ok: true, value: 7 },
      { ok: true, value: 7 },
    ])
  })
})
