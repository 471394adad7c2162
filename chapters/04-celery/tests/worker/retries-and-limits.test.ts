/** The bounds of a task: its tries, its time, its rate, its date. Laws by properties, the rest on a real Redis. */
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '@repo/common/async/until'
import type { Job } from 'bullmq'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { RetryLater } from '../../src/queue/errors.ts'
import type { Message } from '../../src/queue/message.ts'
import { giveBack, rateKeys } from '../../src/queue/moments.ts'
import { gather, type TaskResult } from '../../src/queue/results.ts'
import { backoffMs } from '../../src/queue/retry.ts'
import { revoke } from '../../src/queue/revoke.ts'
import { defineTask, type Task, type TaskContext } from '../../src/queue/task.ts'
import type { Middleware } from '../../src/worker/call.ts'
import { admit } from '../../src/worker/rate-limit.ts'
import { Run, type RunOwner } from '../../src/worker/run.ts'
import { inThread } from '../../src/worker/threads.ts'
import { describeRedis, useLayer } from '../fixtures/layer.ts'

const layer = useLayer()

describe('the back-off', () => {
  const policy = fc.record({ baseMs: fc.integer({ min: 1, max: 10_000 }), maxMs: fc.integer({ min: 1, max: 600_000 }) })

  it('doubles up to its maximum, and with jitter is a random part of that', () => {
    fc.assert(
      fc.property(
        policy,
        fc.integer({ min: 1, max: 60 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (p, n, r) => {
          const longest = backoffMs(n, { ...p, jitter: false })
          expect(longest).toBe(Math.min(p.maxMs, p.baseMs * 2 ** (n - 1)))
          expect(backoffMs(n, p, () => r)).toBe(Math.round(r * longest))
        },
      ),
    )
  })

  it('is by default one second, doubled, up to ten minutes', () => {
    const waits = [1, 2, 3, 10, 11].map((attempt) => backoffMs(attempt, { jitter: false }))
    expect(waits).toEqual([1_000, 2_000, 4_000, 512_000, 600_000])
    expect([0, 1].map((baseMs) => backoffMs(1_000_000, { baseMs, jitter: false }))).toEqual([0, 600_000])
  })
})

describeRedis('retries', () => {
  /** Fails until the given try, and records each. */
  function flaky(until: number, retries: { max: number; when?: (error: Error) => boolean }) {
    const tries: number[] = []
    const task = defineTask({
      name: 'flaky',
      args: z.object({}),
      retries: { baseMs: 1, ...retries },
      run: (_, { attempt }) => {
        tries.push(attempt)
        if (attempt < until) throw new RangeError(`try ${attempt}`)
        return attempt
      },
    })
    return { task, tries }
  }

  it('go on until the task succeeds', async () => {
    const { task, tries } = flaky(3, { max: 5 })
    const client = await layer.openClient()
    const worker = await layer.startWorker({ tasks: [task] })
    expect(await (await client.send(task, {})).get()).toBe(3)
    expect([tries, worker.stats().retried]).toEqual([[1, 2, 3], 2])
  })

  it('end at their maximum number, and the last error is the result', async () => {
    const { task, tries } = flaky(10, { max: 2 })
    const client = await layer.openClient()
    const last: boolean[] = []
    const middleware: Middleware = async (call, next) => {
      last.push(call.isLastTry)
      return await next()
    }
    await layer.startWorker({ tasks: [task], middleware: [middleware] })
    await expect((await client.send(task, {})).get()).rejects.toThrow('RangeError: try 3')
    await expect((await client.send(task, {}, { maxRetries: 0 })).get()).rejects.toThrow('try 1')
    expect(tries).toEqual([1, 2, 3, 1])
    expect(last).toEqual([false, false, true, true])
  })

  it('are not made for errors that are not worth one, nor without a policy', async () => {
    const picky = flaky(10, { max: 5, when: (error) => !(error instanceof RangeError) })
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [picky.task] })
    await expect((await client.send(picky.task, {})).get()).rejects.toThrow('try 1')
    expect(picky.tries).toEqual([1])
  })

  it('come when the task says, if it does', async () => {
    const at: number[] = []
    const polite = defineTask({
      name: 'polite',
      args: z.object({}),
      // Its own policy would come back after at least ten minutes.
      retries: { max: 1, baseMs: 600_000, jitter: false },
      run: (_, { attempt }) => {
        at.push(Date.now())
        if (attempt === 1) throw new RetryLater('the service says: in 50 ms', { afterMs: 50 })
        return 'served'
      },
    })
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [polite] })
    const result = await client.send(polite, {})
    expect(await result.get()).toBe('served')
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(50)
  })

  it('are seen in the state', async () => {
    const { task, tries } = flaky(2, { max: 1 })
    const patient = { ...task, retries: { max: 1, baseMs: 600_000, jitter: false } }
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [patient] })
    const result = await client.send(patient, {})
    await until(async () => (await result.state()) === 'retrying')
    expect(tries).toEqual([1])
  })
})

describeRedis('time limits', () => {
  const slow = (options: object, seen: { reason?: unknown } = {}) =>
    defineTask({
      name: 'slow',
      args: z.object({}),
      ...options,
      run: (_, { signal }) =>
        new Promise<string>((resolve) => {
          signal.addEventListener('abort', () => {
            seen.reason = signal.reason
            resolve('stopped in order')
          })
        }),
    })

  it('let a task return what it has at the soft one', async () => {
    const seen: { reason?: unknown } = {}
    const task = slow({ softLimitMs: 20, hardLimitMs: 60_000 }, seen)
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [task] })
    expect(await (await client.send(task, {})).get()).toBe('stopped in order')
    expect(seen.reason).toMatchObject({ name: 'SoftTimeLimitExceeded' })
  })

  it('fail it at the hard one, which frees its place', async () => {
    const deaf = defineTask({ name: 'deaf', args: z.object({}), run: () => new Promise<never>(() => {}) })
    const quick = defineTask({ name: 'quick', args: z.object({}), run: () => 'ran' })
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [deaf, quick], concurrency: 1 })
    const stuck = await client.send(deaf, {}, { hardLimitMs: 20 })
    const next = await client.send(quick, {})
    await expect(stuck.get()).rejects.toThrow('TimeLimitExceeded: the task ran longer than its hard limit of 20 ms')
    expect(await next.get()).toBe('ran')
  })

  it('may be retried, like any failure', async () => {
    const second = defineTask({
      name: 'second',
      args: z.object({}),
      hardLimitMs: 20,
      retries: { max: 1, baseMs: 1 },
      run: (_, { attempt }) => (attempt === 1 ? new Promise<never>(() => {}) : attempt),
    })
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [second] })
    expect(await (await client.send(second, {})).get()).toBe(2)
  })

  it('of a month are as long as they say', async () => {
    const client = await layer.openClient()
    const month = 30 * 24 * 3600 * 1000
    const run = async (_: object, { signal }: TaskContext) => {
      await new Promise(setImmediate)
      return signal.aborted
    }
    const task = defineTask({ name: 'patient', args: z.object({}), softLimitMs: month, run })
    await layer.startWorker({ tasks: [task] })
    const result = await client.send(task, {}, { hardLimitMs: month })
    expect(await result.get({ timeoutMs: Infinity })).toBe(false)
    const never = await client.send(task, {}, { countdownMs: month })
    await expect(never.get({ timeoutMs: Number.NaN })).rejects.toThrow('timeoutMs: received NaN; accepts')
  })

  it('end a thread that would never end by itself', async () => {
    const file = new URL('../fixtures/spin.worker.ts', import.meta.url)
    const run = inThread<{ forEver: boolean }, string>(file, { threads: 1 })
    const args = z.object({ forEver: z.boolean() })
    const spin = defineTask({ name: 'spin', args, hardLimitMs: 300, run })
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [spin] })
    await expect((await client.send(spin, { forEver: true })).get()).rejects.toThrow('hard limit of 300 ms')
    // There is only one thread: this would wait for ever if it were still busy.
    expect(await (await client.send(spin, { forEver: false }, { hardLimitMs: 60_000 })).get()).toBe('done')
  })

  it('find the threads of the tasks before them', async () => {
    const file = new URL('../fixtures/thread-id.worker.ts', import.meta.url)
    const run = inThread<null, number>(file, { threads: 1 })
    const context = { signal: new AbortController().signal } as TaskContext
    const first = await run(null, context)
    expect([await run(null, context), await run(null, context)]).toEqual([first, first])
  })
})

describe('a run', () => {
  const never = () => new Promise<never>(() => {})
  function runOf(run: Task['run'] & object, data: object = {}) {
    const job = { id: '1', queueName: 'q', attemptsMade: 2, data: { args: {}, version: 1, ...data } }
    const task: Task = { ...defineTask({ name: 't', args: z.object({}) }), run }
    return new Run(job as unknown as Job<Message>, task, { name: 'w' } as RunOwner)
  }

  it('tells its task who runs it', () => {
    const { id, task, queue, worker, attempt, args } = runOf(never)
    expect({ id, task, queue, worker, attempt, args }).toEqual({
      id: '1',
      task: 't',
      queue: 'q',
      worker: 'w',
      attempt: 3,
      args: {},
    })
  })

  it('that was stopped before it began does not call its function', async () => {
    let calls = 0
    const run = runOf(() => ++calls)
    const reason = new Error('enough')
    run.stop(reason)
    await expect(run.start({})).rejects.toBe(reason)
    expect([calls, run.signal.reason]).toEqual([0, reason])
  })

  it('goes on after a warning, the first of which is the reason of its signal, whenever that is asked for', async () => {
    const [first, second] = [new Error('first'), new Error('second')]
    const { promise, resolve } = Promise.withResolvers<string>()
    const run = runOf(() => promise)
    const ending = run.start({})
    run.warn(first)
    run.warn(second)
    expect(run.signal.reason).toBe(first)
    resolve('done in time')
    expect(await ending).toBe('done in time')
    const asked = runOf(never)
    expect(asked.signal.aborted).toBe(false)
    asked.warn(first)
    expect(asked.signal.reason).toBe(first)
  })

  it('is no longer waited for once it is stopped, whatever its function does then', async () => {
    const reason = new Error('enough')
    const run = runOf(
      (_, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject('late'))),
    )
    const ending = run.start({})
    run.stop(reason)
    await expect(ending).rejects.toBe(reason)
    expect(run.signal.reason).toBe(reason)
  })

  it('shares the limits of its message with all work within it, and none with what comes after', async () => {
    const run = runOf(never, { hardLimitMs: 20 })
    const deep = run.within(() => run.within(never))
    await expect(deep).rejects.toThrow('the task ran longer than its hard limit of 20 ms')
    const list = runOf(never, { hardLimitMs: 20 })
    const afterOne = list.within(async () => await list.within(async () => {}).then(never))
    await expect(afterOne).rejects.toThrow('hard limit of 20 ms')
    const again = runOf(never, { hardLimitMs: 20 })
    await again.within(async () => {})
    await expect(again.within(never)).rejects.toThrow('hard limit of 20 ms')
    const after = runOf(never, { hardLimitMs: 1, softLimitMs: 1 })
    expect(await after.within(async () => 'at once')).toBe('at once')
    await delay(5)
    expect(after.signal.aborted).toBe(false)
  })
})

describeRedis('rates', () => {
  it('of a task hand out one slot after the other', async () => {
    const client = await layer.openClient()
    const intervalMs = 720_000
    const limit = { max: 5, perMs: 5 * intervalMs }
    const ask = (id: string) => admit(client.redis, { prefix: layer.prefix, task: 't', id, limit })
    const begun = Date.now()
    const waits: number[] = []
    for (const id of ['a', 'b', 'c', 'd', 'e']) waits.push(await ask(id))
    const tookMs = Date.now() - begun
    for (const [at, wait] of waits.entries()) {
      expect(wait).toBeLessThanOrEqual(intervalMs * at)
      expect(wait).toBeGreaterThanOrEqual(Math.max(0, intervalMs * at - tookMs - 1))
    }
    // A job that comes too early keeps its moment.
    expect(await ask('e')).toBeLessThanOrEqual(waits[4] ?? 0)
    expect(await ask('f')).toBeGreaterThan(waits[4] ?? 0)
  })

  it('that Redis refuses to look up do not fail the task, which runs when Redis answers again', async () => {
    const task = defineTask({ name: 'limited', args: z.object({}), rateLimit: { max: 9, perMs: 9 }, run: () => 'ran' })
    const client = await layer.openClient()
    const user = `u-${layer.prefix}`
    const mayUse = (keys: string) =>
      client.redis.call('ACL', 'SETUSER', user, 'on', '>pw', '+@all', '&*', 'resetkeys', keys)
    // All keys but those of the rates.
    await mayUse(`~${layer.prefix}:[^:]*`)
    const refused = Promise.withResolvers<string>()
    const ignore = () => {}
    const log = {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (_: object, message: string) => refused.resolve(message),
    }
    const url = `redis://${user}:pw@127.0.0.1:${new URL(layer.redis.url).port}`
    await layer.startWorker({ url, tasks: [task], log })
    const result = await client.send(task, {})
    expect(await refused.promise).toBe('Redis does not allow this user the command: see its ACL')
    const queue = client.queue('default')
    await until(async () => (await queue.getDelayedCount()) === 1)
    await mayUse('~*')
    await (await queue.getJob(result.id))?.promote()
    expect(await result.get({ timeoutMs: 60_000 })).toBe('ran')
  })

  it('of one task leave those of others alone, whatever they are called, and the queues', async () => {
    const { redis } = await layer.openClient()
    const limit = { max: 1, perMs: 600_000 }
    const names = ['mail', 'mail:moments', 'mail:returned', 'wait', '', 'rate', ':']
    for (const task of names) {
      for (const id of ['a', 'b']) {
        expect((await admit(redis, { prefix: layer.prefix, task, id, limit })) > 0).toBe(id === 'b')
      }
    }
    await giveBack(redis, layer.prefix, ['b'])
    expect(await redis.exists(...names.map((task) => rateKeys(layer.prefix, task)[2] ?? ''))).toBe(names.length)
    // The keys of BullMQ begin with the name of a queue, which may be `rate`.
    expect(await redis.keys(`${layer.prefix}:[^:]*`)).toEqual([])
  })

  it('of a task are remembered as long as a moment lies ahead, and never asked for before it', async () => {
    const { redis } = await layer.openClient()
    // An interval of 1,200,000 and a third milliseconds, so that moments lie between two of them.
    const limit = { max: 3, perMs: 3_600_001 }
    const [state = '', moments = ''] = rateKeys(layer.prefix, 't')
    for (const id of 'abcdefghijklmnopqrst') {
      const waitMs = await admit(redis, { prefix: layer.prefix, task: 't', id, limit })
      const asked = Date.now()
      expect(asked + waitMs).toBeGreaterThanOrEqual(Number(await redis.hget(moments, id)))
      expect(await redis.pttl(state)).toBeGreaterThan(waitMs)
      if (id !== 'a') expect(await redis.pttl(moments)).toBeGreaterThan(waitMs)
    }
  })

  it('of a task that are changed count at once, for waiting tasks too', async () => {
    const client = await layer.openClient()
    const forgotten: string[] = []
    const ask = (id: string, perMs: number) =>
      admit(client.redis, { prefix: layer.prefix, task: 't', id, limit: { max: 1, perMs } }, (ids) => {
        forgotten.push(...ids)
      })
    for (const id of ['a', 'b', 'c']) await ask(id, 3_600_000)
    const minute = 60_000
    expect([await ask('c', minute), forgotten]).toEqual([expect.toSatisfy((ms: number) => ms <= minute), ['b']])
    expect(await ask('b', minute)).toBeLessThanOrEqual(2 * minute)
    expect([(await ask('d', 3_600_000)) > 3_000_000, forgotten.toSorted()]).toEqual([true, ['b', 'b', 'c']])
  })

  it('of a task that are raised let the tasks begin that wait for their old moments', async () => {
    const limited = defineTask({
      name: 'limited',
      args: z.object({}),
      rateLimit: { max: 1, perMs: 3_600_000 },
      run: () => 'ran',
    })
    const client = await layer.openClient()
    const old = await layer.startWorker({ tasks: [limited] })
    const sent = await client.sendMany(limited, [{}, {}, {}])
    await until(async () => (await client.queue('default').getDelayedCount()) === 2)
    await old.close()
    await layer.startWorker({ tasks: [{ ...limited, rateLimit: { max: 1, perMs: 1 } }] })
    // With the first task that asks, the worker knows.
    expect(await gather([...sent, await client.send(limited, {})])).toEqual(['ran', 'ran', 'ran', 'ran'])
  })

  it('of a task are kept after a time in which slots passed unused', async () => {
    const client = await layer.openClient()
    const limit = { max: 1, perMs: 60_000 }
    const ask = (id: string) => admit(client.redis, { prefix: layer.prefix, task: 't', id, limit })
    for (const id of ['a', 'b', 'c']) await ask(id)
    // An hour later, as far as the moments go.
    const [key = '', moments = ''] = rateKeys(layer.prefix, 't')
    const past = Date.now() - 3_600_000
    await client.redis.set(key, past)
    await client.redis.hset(moments, 'b', past, 'c', past)
    expect(await ask('b')).toBe(0)
    expect(await ask('c')).toBeGreaterThan(0)
  })

  it('of a task whose tasks are purged, forgotten or revoked wait for none of them', async () => {
    const limited = defineTask({
      name: 'limited',
      args: z.object({}),
      rateLimit: { max: 1, perMs: 600_000 },
      run: () => 'ran',
    })
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [limited] })
    const scheduledCount = async () => await client.queue('default').getJobCountByTypes('delayed')
    const many = Array.from({ length: 20 }, () => ({}))
    await (await client.send(limited, {})).get()
    const waitMs = async () => {
      const { id } = await client.send(limited, {})
      await until(async () => (await scheduledCount()) > 0)
      return (await client.queue('default').getDelayed()).find((job) => job.id === id)?.delay ?? Number.NaN
    }
    const ends = {
      purged: async () => void (await client.purge('default')),
      forgotten: async (sent: TaskResult[]) => {
        for (const result of sent) await result.forget()
      },
      revoked: async (sent: TaskResult[]) => {
        await revoke(client, sent)
        await Promise.all(sent.map((result) => result.settled()))
        // The worker gives them back after that.
        await until(async () => (await client.redis.hlen(rateKeys(layer.prefix, 'limited')[1] ?? '')) === 0)
      },
    }
    for (const [how, end] of Object.entries(ends)) {
      const sent = await client.sendMany(limited, many)
      await until(async () => (await scheduledCount()) === many.length)
      await end(sent)
      // One interval after the only start, minus the time that has passed; without their moments 20 more.
      expect([how, await waitMs()]).toEqual([how, expect.toSatisfy((ms: number) => ms > 0 && ms <= 600_000)])
      await client.purge('default')
    }
  })

  it('of a task give a moment back only to the next one, and only while it is ahead', async () => {
    const client = await layer.openClient()
    const limit = { max: 1, perMs: 60_000 }
    const ask = (id: string) => admit(client.redis, { prefix: layer.prefix, task: 't', id, limit })
    const [, , third = 0] = [await ask('a'), await ask('b'), await ask('c'), await ask('d')]
    await giveBack(client.redis, layer.prefix, ['c', 'nobody', 'a'])
    expect(await ask('e')).toBeLessThanOrEqual(third)
    expect(await ask('e')).toBeGreaterThan(60_000)
    expect(await ask('f')).toBeGreaterThan(180_000)
    await giveBack(client.redis, layer.prefix, [])
    const [, , returned = ''] = rateKeys(layer.prefix, 't')
    expect(await client.redis.zcard(returned)).toBe(0)
    await giveBack(client.redis, layer.prefix, ['f'])
    expect(await client.redis.pttl(returned)).toBeGreaterThan(0)
  })

  it('of a task are kept between two starts of tasks that come late, the first of which starts at once', async () => {
    const client = await layer.openClient()
    const limit = { max: 1, perMs: 60_000 }
    const ask = (id: string) => admit(client.redis, { prefix: layer.prefix, task: 't', id, limit })
    for (const id of ['a', 'b', 'c', 'd', 'e']) await ask(id)
    // Ten minutes later, as far as the moments go: all of them have long passed behind a backlog.
    const [key = '', moments = ''] = rateKeys(layer.prefix, 't')
    const past = Date.now() - 600_000
    await client.redis.set(key, `${past} ${past} 0`)
    await client.redis.hset(moments, 'b', past, 'c', past, 'd', past, 'e', Date.now() + 90_000)
    const begun = Date.now()
    const waits = [await ask('b'), await ask('c'), await ask('d')]
    const tookMs = Date.now() - begun
    expect(waits[0]).toBe(0)
    // The others follow it one by one, before any new task, and the one that is on time is not moved. A start that is
    // much too late counts from 100 ms ago.
    expect(waits[1]).toBeGreaterThanOrEqual(59_900 - tookMs - 1)
    expect(waits[1]).toBeLessThanOrEqual(59_900)
    expect(waits[2]).toBeGreaterThanOrEqual(119_900 - tookMs - 1)
    expect(waits[2]).toBeLessThanOrEqual(120_000)
    expect(await ask('f')).toBeGreaterThan(waits[2] ?? 0)
    expect(await ask('e')).toBeLessThanOrEqual(90_000)
    expect(await client.redis.hexists(moments, 'b')).toBe(0)
  })

  it('of a task are not lowered by a start that comes a little late', async () => {
    const client = await layer.openClient()
    const limit = { max: 5, perMs: 1_000 }
    const ask = (id: string) => admit(client.redis, { prefix: layer.prefix, task: 't', id, limit })
    const [key = '', moments = ''] = rateKeys(layer.prefix, 't')
    const now = Date.now()
    // Their moments are one interval of 200 ms apart, and the first one comes 90 ms late.
    await client.redis.set(key, `${now + 110} ${now - 290} 0`)
    await client.redis.hset(moments, 'a', now - 90, 'b', now + 110)
    expect(await ask('a')).toBe(0)
    await delay(115)
    expect(await ask('b')).toBe(0)
  })

  it('of a task with a short time count a start from a tenth of it ago at most', async () => {
    const { redis } = await layer.openClient()
    const ask = (id: string) => admit(redis, { prefix: layer.prefix, task: 't', id, limit: { max: 1, perMs: 200 } })
    const [key = '', moments = ''] = rateKeys(layer.prefix, 't')
    const now = Date.now()
    await redis.set(key, `${now} ${now - 290} 0`)
    await redis.hset(moments, 'a', now - 90, 'b', now)
    const started = Date.now()
    expect(await ask('a')).toBe(0)
    const waitMs = await ask('b')
    expect(Date.now() + waitMs).toBeGreaterThanOrEqual(started - 20 + 200)
  })

  it('of a task let it start behind a backlog that is longer than its interval', async () => {
    const seen: string[] = []
    const limited = defineTask({
      name: 'limited',
      args: z.object({}),
      rateLimit: { max: 1, perMs: 20 },
      run: () => void seen.push('limited'),
    })
    const client = await layer.openClient()
    // Each sends its successor, so that as many as at first are always waiting.
    const other = defineTask({
      name: 'other',
      args: z.object({}),
      run: async () => {
        seen.push('other')
        await delay(2)
        if (seen.length < 2_000) await client.send(other, {}, { ignoreResult: true })
      },
    })
    const others = Array.from({ length: 50 }, () => ({}))
    await client.sendMany(other, others, { ignoreResult: true })
    const sent = await client.sendMany(limited, [{}, {}, {}])
    await layer.startWorker({ tasks: [limited, other], concurrency: 1 })
    await gather(sent)
    expect(seen.length).toBeLessThan(2_000)
    seen.length = 2_000
  })

  it('of a task are kept by all workers together, and delay no other task', async () => {
    const starts: number[] = []
    const limited = defineTask({
      name: 'limited',
      args: z.object({}),
      rateLimit: { max: 1, perMs: 100 },
      run: () => void starts.push(Date.now()),
    })
    const free = defineTask({ name: 'free', args: z.object({}), run: () => starts.length })
    const client = await layer.openClient()
    const sent = await client.sendMany(
      limited,
      Array.from({ length: 5 }, () => ({})),
    )
    const other = await client.send(free, {})
    const begun = Date.now()
    const workers = [1, 2].map((at) => layer.startWorker({ tasks: [limited, free], concurrency: 1, name: `w${at}` }))
    await Promise.all(workers)
    expect(await other.get()).toBeLessThan(5)
    await gather(sent)
    expect(starts).toHaveLength(5)
    // The fifth moment is four intervals after the first, which comes after the start of the workers.
    expect((starts.at(-1) ?? 0) - begun).toBeGreaterThanOrEqual(399)
  })

  it('of a whole queue are kept too', async () => {
    const starts: number[] = []
    const task = defineTask({ name: 'any', args: z.object({}), run: () => void starts.push(Date.now()) })
    const queueSettings = { default: { rateLimit: { max: 2, perMs: 300 } } }
    const client = await layer.openClient({ queueSettings })
    const sent = await client.sendMany(
      task,
      Array.from({ length: 6 }, () => ({})),
    )
    const begun = Date.now()
    await layer.startWorker({ tasks: [task], queueSettings })
    await gather(sent)
    expect((starts.at(-1) ?? 0) - begun).toBeGreaterThanOrEqual(598)
  })
})

describeRedis('dates', () => {
  const record = (starts: number[]) =>
    defineTask({ name: 'record', args: z.object({}), run: () => void starts.push(Date.now()) })

  it('let a task begin no sooner, by countdown or at a moment', async () => {
    const starts: number[] = []
    const task = record(starts)
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [task] })
    const eta = new Date(Date.now() + 120)
    await gather([await client.send(task, {}, { eta })])
    expect(starts[0]).toBeGreaterThanOrEqual(eta.getTime())
    const from = Date.now()
    await gather([await client.send(task, {}, { countdownMs: 80 })])
    expect(starts[1]).toBeGreaterThanOrEqual(from + 80)
    // A moment that has passed is now.
    await gather([await client.send(task, {}, { eta: new Date(0) })])
  })

  it('keep a task from being tried again too late, and its last error is told', async () => {
    const task = defineTask({
      name: 'late',
      args: z.object({}),
      retries: { max: 1, baseMs: 0, when: () => true },
      run: async () => {
        await delay(1_000)
        throw new RangeError('the cause')
      },
    })
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [task] })
    const result = await client.send(task, {}, { expiresInMs: 1_000 })
    await expect(result.get()).rejects.toThrow(
      /TaskExpired: late expired \d+ ms before a worker came to it, and its last try had failed: the cause$/,
    )
  })

  it('keep a task that no worker reached in time from beginning', async () => {
    const starts: number[] = []
    const task = record(starts)
    const client = await layer.openClient()
    const late = await client.send(task, {}, { expiresInMs: 1 })
    const still = await client.send(task, {}, { expiresInMs: 600_000 })
    const sentBy = Date.now()
    await until(() => Date.now() > sentBy + 1)
    await layer.startWorker({ tasks: [task] })
    await expect(late.get()).rejects.toThrow(/^TaskExpired: record expired \d+ ms before a worker came to it$/)
    await still.get()
    expect([starts.length, await late.state()]).toEqual([1, 'expired'])
  })
})

describeRedis('progress', () => {
  it('can be read while a task runs', async () => {
    const open = Promise.withResolvers<void>()
    const task = defineTask({
      name: 'steps',
      args: z.object({}),
      run: async (_, { progress }: TaskContext) => {
        await progress({ step: 1, of: 2 })
        await open.promise
        return 'done'
      },
    })
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [task] })
    const result = await client.send(task, {})
    expect(await until(async () => (await result.progress()) || undefined)).toEqual({ step: 1, of: 2 })
    open.resolve()
    expect(await result.get()).toBe('done')
  })
})
