/** What acts on tasks and workers from outside: revoking, remote control, autoscaling, events. */
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '@repo/common/async/until'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { expect, it, vi } from 'vitest'
import { z } from 'zod'
import { active, ask, ping, questionFor, scheduled, shutdown, stats } from '../../src/queue/control.ts'
import { listen, type TaskEvent } from '../../src/queue/events.ts'
import { controlChannel, revokedKey } from '../../src/queue/message.ts'
import { gather } from '../../src/queue/results.ts'
import { revoke } from '../../src/queue/revoke.ts'
import { defineTask } from '../../src/queue/task.ts'
import { autoscale, scaled } from '../../src/worker/autoscale.ts'
import { Revocations } from '../../src/worker/revocations.ts'
import type { TaskWorker } from '../../src/worker/worker.ts'
import { describeRedis, useLayer } from '../fixtures/layer.ts'

const layer = useLayer()
/** On a busy machine an answer may be late. This waits for every worker that heard the question, and no longer. */
const patient = { timeoutMs: 60_000 }

/** Ends when its signal is aborted, or when `open` is called. */
function waiter() {
  const open = Promise.withResolvers<string>()
  const seen: { begun: number; reason: unknown } = { begun: 0, reason: undefined }
  const task = defineTask({
    name: 'wait',
    args: z.object({}),
    run: async (_, { signal }) => {
      seen.begun++
      signal.addEventListener('abort', () => {
        seen.reason = signal.reason
      })
      return await open.promise
    },
  })
  return { task, seen, open: () => open.resolve('done') }
}

describeRedis('revoking', () => {
  it('keeps a waiting task from running, even on a worker that starts later', async () => {
    const { task, seen, open } = waiter()
    open()
    const client = await layer.openClient()
    const [first, second] = await client.sendMany(task, [{}, {}])
    if (!first || !second) throw new Error('nothing was sent')
    await revoke(await layer.openClient(), [first])
    expect(await first.state()).toBe('revoked')
    await layer.startWorker({ tasks: [task] })
    await expect(first.get()).rejects.toThrow('TaskRevoked: wait was revoked before it began')
    expect(await second.get()).toBe('done')
    expect([seen.begun, await first.state()]).toEqual([1, 'revoked'])
    // Discarded: nothing of it needs to be remembered.
    await until(async () => (await client.redis.zcard(revokedKey(layer.prefix))) === 0)
  })

  it('discards a scheduled task at once', async () => {
    const { task, seen } = waiter()
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [task] })
    const result = await client.send(task, {}, { countdownMs: 600_000 })
    await revoke(client, [result])
    await expect(result.get()).rejects.toThrow('TaskRevoked')
    expect(seen.begun).toBe(0)
  })

  it('leaves a running task alone, unless told to stop it', async () => {
    const { task, seen, open } = waiter()
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [task] })
    const [spared, stopped] = await client.sendMany(task, [{}, {}])
    if (!spared || !stopped) throw new Error('nothing was sent')
    await until(() => seen.begun === 2)
    const other = await layer.openClient()
    await revoke(other, [spared])
    await revoke(other, [stopped], { terminate: true })
    await expect(stopped.get()).rejects.toThrow('TaskRevoked: the task was revoked while it ran')
    expect(seen.reason).toMatchObject({ name: 'TaskRevoked' })
    open()
    expect(await spared.get()).toBe('done')
  })

  it('that one worker has carried out no longer counts for the others, which still remember it', async () => {
    const { redis } = await layer.openClient()
    const workers = [new Revocations(redis, layer.prefix), new Revocations(redis, layer.prefix)] as const
    await redis.zadd(revokedKey(layer.prefix), 1, 'a', 1, 'b')
    for (const worker of workers) await worker.load()
    await workers[0].fulfilled('a')
    expect(await Promise.all(['a', 'b'].map((id) => workers[1].includes(id)))).toEqual([false, true])
    expect(workers.map((worker) => worker.mayInclude('a'))).toEqual([false, true])
    // It forgets when it reads them again, except for what it hears meanwhile.
    const reading = workers[1].load()
    workers[1].add(['c'])
    await reading
    expect(['a', 'b', 'c'].map((id) => workers[1].mayInclude(id))).toEqual([false, true, true])
  })

  /** Does something while a worker asks whether a rate allows a start now. */
  const whileAsked = (action: () => Promise<unknown>) =>
    vi.spyOn(Redis.prototype, 'eval').mockImplementationOnce(async () => {
      await action()
      return ['0', []]
    })

  it('is not missed by a worker that is asking for a start', async () => {
    const { task, seen } = waiter()
    const client = await layer.openClient()
    const result = await client.send(task, {})
    using _asked = whileAsked(() => revoke(client, [result]))
    await layer.startWorker({ tasks: [{ ...task, rateLimit: { max: 1, perMs: 1 } }] })
    await expect(result.get()).rejects.toThrow('TaskRevoked')
    expect(seen.begun).toBe(0)
  })

  it('and an end of the worker is not missed either: the task is given back', async () => {
    const { task, seen } = waiter()
    const client = await layer.openClient()
    const worker = await layer.startWorker({ tasks: [{ ...task, rateLimit: { max: 1, perMs: 1 } }] })
    const closing = Promise.withResolvers<void>()
    using _asked = whileAsked(async () => {
      closing.resolve(worker.close({ graceMs: 0 }))
      // The grace time is over by then.
      await delay(1)
    })
    const result = await client.send(task, {})
    await closing.promise
    expect([seen.begun, await result.state()]).toEqual([0, 'waiting'])
  })

  it('changes nothing of a task that has ended, not even for the next one with the same key', async () => {
    let runs = 0
    const task = defineTask({
      name: 'keyed',
      args: z.object({}),
      run: () => {
        if (++runs === 1) throw new Error('not yet')
        return runs
      },
    })
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [task] })
    const first = await client.send(task, {}, { idempotencyKey: 'order 7' })
    await expect(first.get()).rejects.toThrow('not yet')
    await revoke(client, [first])
    expect([await first.state(), await client.redis.zcard(revokedKey(layer.prefix))]).toEqual(['failed', 0])
    await (await client.queue('default').getJob(first.id))?.retry()
    expect(await client.result(first.id).get()).toBe(2)
    await first.forget()
    expect(await (await client.send(task, {}, { idempotencyKey: 'order 7' })).get()).toBe(3)
  })

  it('is forgotten with a task that is removed before a worker came to it, so its key is free', async () => {
    const task = defineTask({ name: 'keyed', args: z.undefined(), run: () => 'ran' })
    const client = await layer.openClient()
    const send = (idempotencyKey: string) => client.send(task, undefined, { idempotencyKey })
    const [purged, plain, forgotten] = [
      await send('purged'),
      await client.send(task, undefined),
      await send('forgotten'),
    ]
    await revoke(client, [purged, plain, forgotten])
    await forgotten.forget()
    expect(await client.purge('default')).toBe(2)
    // Now there is no task of that key, as when its result is too old.
    await revoke(client, [forgotten])
    await layer.startWorker({ tasks: [task] })
    expect(await gather([await send('purged'), await send('forgotten')])).toEqual(['ran', 'ran'])
    // A task of a canvas may still come.
    expect(await client.redis.zrange(revokedKey(layer.prefix), '0', '-1')).toEqual([plain.id])
  })

  it('without a stop is forgotten when the running task has ended', async () => {
    const { task, seen, open } = waiter()
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [task] })
    const result = await client.send(task, {})
    await until(() => seen.begun === 1)
    await revoke(client, [result])
    expect(await client.redis.zcard(revokedKey(layer.prefix))).toBe(1)
    open()
    expect(await result.get()).toBe('done')
    await until(async () => (await client.redis.zcard(revokedKey(layer.prefix))) === 0)
  })

  it('is done for any number of tasks', async () => {
    const { task } = waiter()
    const client = await layer.openClient()
    const sent = await client.sendMany(task, [{}], { countdownMs: 600_000 })
    // Ids of tasks that may still come, such as those behind a link.
    const later = Array.from({ length: 20_000 }, (_, at) => ({ id: `default.later.${at}`, queue: 'default' }))
    await revoke(client, [...later, ...sent])
    expect(await client.redis.zcard(revokedKey(layer.prefix))).toBe(20_001)
    await revoke(client, [])
  })

  it('is noticed by a worker whose connection was lost', async () => {
    const { task, seen } = waiter()
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [task] })
    const result = await client.send(task, {}, { countdownMs: 600_000 })
    // Revoked while no worker is subscribed, so only the set knows.
    await client.redis
      .multi()
      .call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      .zadd(revokedKey(layer.prefix), 1, result.id)
      .exec()
    await until(async () => (await ping(client)).length === 1)
    await (await client.queue('default').getJob(result.id))?.promote()
    await expect(client.result(result.id).get()).rejects.toThrow('TaskRevoked')
    expect(seen.begun).toBe(0)
  })
})

describeRedis('remote control', () => {
  it('finds all workers, or the named ones', async () => {
    const client = await layer.openClient()
    expect(await ping(client)).toEqual([])
    const { task } = waiter()
    for (const name of ['a', 'b', 'c']) await layer.startWorker({ tasks: [task], name })
    expect(await ping(client, patient)).toEqual(['a', 'b', 'c'])
    expect(await ping(client, { to: ['b'], ...patient })).toEqual(['b'])
    expect(await ping(client, { to: ['nobody'], timeoutMs: 20 })).toEqual([])
  })

  it('returns what workers are, what runs and what is scheduled', async () => {
    const { task, seen, open } = waiter()
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [task], name: 'one', queues: ['default', 'mail'], concurrency: 3 })
    const running = await client.send(task, {})
    const later = await client.send(task, {}, { countdownMs: 600_000 })
    await until(() => seen.begun === 1)
    expect(await active(client, patient)).toMatchObject([
      { worker: 'one', id: running.id, task: 'wait', queue: 'default', args: {} },
    ])
    expect(await scheduled(client, 'default')).toMatchObject([{ id: later.id, task: 'wait', args: {} }])
    expect(await ask(client, { command: 'registered' }, patient)).toMatchObject([
      { answer: [{ name: 'wait', version: 1 }] },
    ])
    open()
    await running.get()
    expect(await stats(client, patient)).toMatchObject([
      {
        worker: 'one',
        pid: process.pid,
        queues: ['default', 'mail'],
        concurrency: 3,
        running: 0,
        succeeded: 1,
        failed: 0,
      },
    ])
  })

  it('returns when a task will be retried', async () => {
    const client = await layer.openClient()
    const task = defineTask({
      name: 'fails',
      args: z.object({}),
      retries: { max: 1, baseMs: 600_000, jitter: false },
      run: () => Promise.reject(new Error('not now')),
    })
    const { id } = await client.send(task, {})
    const sent = Date.now()
    // The time must not count from the sending.
    await until(() => Date.now() > sent + 20)
    const begun = Date.now()
    await layer.startWorker({ tasks: [task] })
    const [later] = await until(async () => {
      const found = await scheduled(client, 'default')
      return found.length > 0 ? found : undefined
    })
    expect(later?.id).toBe(id)
    expect(later?.at.getTime()).toBeGreaterThanOrEqual(begun + 600_000)
    expect(later?.at.getTime()).toBeLessThanOrEqual(Date.now() + 600_000)
  })

  it('shuts a worker down, which first finishes its running tasks', async () => {
    const { task, seen, open } = waiter()
    const client = await layer.openClient()
    const worker = await layer.startWorker({ tasks: [task], name: 'one' })
    const result = await client.send(task, {})
    await until(() => seen.begun === 1)
    expect(await shutdown(client, { to: ['one'], ...patient })).toEqual(['one'])
    open()
    await worker.closed
    expect(await result.get()).toBe('done')
    expect(await ping(client)).toEqual([])
  })

  it('obeys nothing that is not a command', async () => {
    const client = await layer.openClient()
    const { task } = waiter()
    const worker = await layer.startWorker({ tasks: [task], name: 'one' })
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
        expect(questionFor('one', text)).toBeUndefined()
        await client.redis.publish(controlChannel(layer.prefix), text)
      }),
    )
    await expect(ask(client, { command: 'concurrency', value: 0 }, { timeoutMs: 20 })).resolves.toEqual([])
    expect(await ping(client, patient)).toEqual(['one'])
    await ask(client, { command: 'concurrency', value: 7 }, patient)
    expect(worker.concurrency).toBe(7)
  })
})

describeRedis('autoscaling', () => {
  const bounds = fc
    .tuple(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 0, max: 64 }))
    .map(([min, more]) => ({ min, max: min + more }))
  const load = fc.record({ running: fc.nat(200), waiting: fc.nat(1_000), freeMs: fc.nat(60_000) })

  it('stays between its bounds, grows only when all places are taken, and never below what runs', () => {
    fc.assert(
      fc.property(bounds, fc.integer({ min: 1, max: 128 }), load, (options, concurrency, now) => {
        const wanted = scaled({ concurrency, ...now }, options)
        expect(wanted).toBeGreaterThanOrEqual(options.min)
        expect(wanted).toBeLessThanOrEqual(options.max)
        if (wanted > concurrency && concurrency >= options.min) {
          expect(now.running).toBeGreaterThanOrEqual(concurrency)
          expect(now.waiting).toBeGreaterThan(0)
        }
        if (now.freeMs >= 10_000) expect(wanted).toBeGreaterThanOrEqual(Math.min(now.running, concurrency, options.max))
      }),
    )
  })

  it.each([
    ['twice as many', { concurrency: 4, running: 4, waiting: 1, freeMs: 0 }, 8],
    ['twice as many, up to its bound', { concurrency: 40, running: 40, waiting: 1, freeMs: 0 }, 64],
    ['as many: nothing waits', { concurrency: 4, running: 4, waiting: 0, freeMs: 0 }, 4],
    ['as many: one is free', { concurrency: 4, running: 3, waiting: 1, freeMs: 0 }, 4],
    ['as many: not free for long enough', { concurrency: 5, running: 0, waiting: 0, freeMs: 9_999 }, 5],
    ['half as many', { concurrency: 5, running: 0, waiting: 0, freeMs: 10_000 }, 3],
    ['half as many, down to what runs', { concurrency: 5, running: 4, waiting: 0, freeMs: 10_000 }, 4],
    ['half as many, down to its bound', { concurrency: 3, running: 0, waiting: 0, freeMs: 10_000 }, 2],
    ['no more than before: others were told to end', { concurrency: 5, running: 9, waiting: 0, freeMs: 10_000 }, 5],
  ])('wants %s', (_, now, places) => {
    expect(scaled(now, { min: 2, max: 64 })).toBe(places)
    // The time that it waits may be set.
    expect(scaled({ ...now, freeMs: now.freeMs / 100 }, { min: 2, max: 64, keepMs: 100 })).toBe(places)
  })

  it('gives a worker more places while work waits, and takes them away afterwards', async () => {
    const { task, seen, open } = waiter()
    const client = await layer.openClient()
    const worker = await layer.startWorker({ tasks: [task], concurrency: 1 })
    const fewer: number[] = []
    const info = (about: object) => {
      const { from, to } = about as { from: number; to: number }
      if (to < from) fewer.push(Date.now())
    }
    const log = { debug: () => {}, info, warn: () => {}, error: () => {} }
    layer.use(autoscale(worker, { min: 1, max: 8, everyMs: 5, keepMs: 100, log }))
    const sent = await client.sendMany(
      task,
      Array.from({ length: 20 }, () => ({})),
    )
    await until(() => seen.begun === 8)
    expect(worker.concurrency).toBe(8)
    open()
    await gather(sent)
    await until(() => worker.concurrency === 1)
    // Each step waits anew: a moment without work must not cost all places.
    const waitsMs = fewer.slice(1).map((at, index) => at - (fewer[index] ?? at))
    expect(waitsMs.length).toBeGreaterThan(1)
    expect(Math.min(...waitsMs)).toBeGreaterThanOrEqual(100)
  })

  /** Lets an interval of 1 ms pass several times: timers of one length fire in the order in which they were set. */
  async function someTurns() {
    for (let turn = 0; turn < 5; turn++) await delay(1)
  }

  it('keeps free places while tasks wait: behind short tasks, some are free at most moments', async () => {
    const worker = await layer.startWorker({ tasks: [waiter().task], concurrency: 8 })
    using _asked = vi.spyOn(worker, 'backlog').mockResolvedValue(1)
    let now = Date.now()
    using _clock = vi.spyOn(Date, 'now').mockImplementation(() => (now += 600))
    layer.use(autoscale(worker, { min: 1, max: 8, everyMs: 1, keepMs: 1_000 }))
    await someTurns()
    expect(worker.concurrency).toBe(8)
  })

  const ends: [how: string, end: (worker: TaskWorker, scaling: Disposable) => Promise<void> | void][] = [
    ['its worker is closed', (worker) => worker.close()],
    ['it is disposed of', (_, scaling) => scaling[Symbol.dispose]()],
  ]
  it.each(ends)('looks once at a time, goes on after a look that failed, and ends when %s', async (_, end) => {
    const worker = await layer.startWorker({ tasks: [waiter().task] })
    const looks: PromiseWithResolvers<number>[] = []
    using _asked = vi.spyOn(worker, 'backlog').mockImplementation(() => {
      const look = Promise.withResolvers<number>()
      looks.push(look)
      return look.promise
    })
    const scaling = autoscale(worker, { min: 1, max: 64, everyMs: 1 })
    await someTurns()
    expect(looks).toHaveLength(1)
    looks[0]?.reject(new Error('Redis is unreachable'))
    await until(() => looks.length === 2)
    await end(worker, scaling)
    looks[1]?.resolve(0)
    await someTurns()
    expect(looks).toHaveLength(2)
  })

  it('sees that tasks with a priority wait too', async () => {
    const { task, seen, open } = waiter()
    const queueSettings = { default: { priorities: true } }
    const client = await layer.openClient({ queueSettings })
    const worker = await layer.startWorker({ tasks: [task], queueSettings, concurrency: 1 })
    const sent = await client.sendMany(task, [{}, {}, {}])
    await until(() => seen.begun === 1)
    expect(await worker.backlog()).toBe(2)
    open()
    await gather(sent)
  })
})

describeRedis('events', () => {
  it('tell the story of each task in order', async () => {
    const task = defineTask({
      name: 'story',
      args: z.object({ fail: z.boolean() }),
      retries: { max: 1, baseMs: 1, jitter: false },
      run: async ({ fail }, { progress }) => {
        if (fail) throw new Error('no')
        await progress(50)
        return 'yes'
      },
    })
    const client = await layer.openClient()
    const seen: TaskEvent[] = []
    layer.use(await listen(client, ['default'], (event) => seen.push(event)))
    await layer.startWorker({ tasks: [task] })
    const [good, bad] = await client.sendMany(task, [{ fail: false }, { fail: true }])
    await Promise.all([good?.settled(), bad?.settled()])
    await until(() => seen.some(({ type }) => type === 'failed') && seen.some(({ type }) => type === 'succeeded'))
    const story = (id?: string) => seen.filter((event) => event.id === id).map(({ type }) => type)
    expect(story(good?.id)).toEqual(['sent', 'started', 'progress', 'succeeded'])
    expect(story(bad?.id)).toEqual(['sent', 'started', 'scheduled', 'started', 'failed'])
    expect(seen.find(({ type }) => type === 'sent')).toMatchObject({ task: 'story', queue: 'default' })
    expect(seen.find(({ type }) => type === 'succeeded')).toMatchObject({ result: 'yes' })
    expect(seen.find(({ type }) => type === 'failed')).toMatchObject({ message: 'no' })
  })
})
