/**
 * Canvas: what each shape computes, in which order, what a failure does to the tasks above it, and what follows once.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '@repo/common/async/until'
import { Job } from 'bullmq'
import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { z } from 'zod'
import { chain, chord, chunks, group, link, linkError, type OnFailure, starmap, step } from '../../src/canvas/canvas.ts'
import { apply } from '../../src/canvas/plan.ts'
import type { Client } from '../../src/queue/client.ts'
import { InvalidArguments, TaskFailed } from '../../src/queue/errors.ts'
import { taskErrorSchema } from '../../src/queue/message.ts'
import type { TaskResult } from '../../src/queue/results.ts'
import { revoke } from '../../src/queue/revoke.ts'
import { defineTask, signature } from '../../src/queue/task.ts'
import { waitsAgain } from '../../src/worker/canvas.ts'
import { describeRedis, useLayer } from '../fixtures/layer.ts'

const layer = useLayer()

const add = defineTask({
  name: 'add',
  args: z.object({ a: z.number(), b: z.number() }),
  run: ({ a, b }) => a + b,
})
const double = defineTask({ name: 'double', args: z.object({ n: z.number() }), run: ({ n }) => 2 * n })
const sum = defineTask({
  name: 'sum',
  args: z.object({ numbers: z.array(z.number()) }),
  run: ({ numbers }) => numbers.reduce((a, b) => a + b, 0),
})
const list = defineTask({
  name: 'list',
  args: z.object({ values: z.array(z.number().nullable()) }),
  run: ({ values }) => values,
})
const fail = defineTask({
  name: 'fail',
  args: z.object({ why: z.string() }),
  run: ({ why }): number => {
    throw new RangeError(why)
  },
})
const plain = [add, double, sum, list, fail]

/** Records what it gets. */
function recorder() {
  const got: unknown[] = []
  const task = defineTask({
    name: 'record',
    args: z.object({ value: z.unknown() }),
    run: ({ value }) => void got.push(value),
  })
  const errors: z.infer<typeof taskErrorSchema>[] = []
  const onError = defineTask({
    name: 'on-error',
    args: z.object({ error: taskErrorSchema }),
    run: ({ error }) => void errors.push(error),
  })
  return { got, task, errors, onError, tasks: [...plain, task, onError] }
}

/** A task that does not end by itself, and how often it has begun. */
function neverEnding() {
  const run = () => {
    gate.begun++
    return new Promise<never>(() => {})
  }
  const gate = { begun: 0, task: defineTask({ name: 'gate', args: z.object({}), run }) }
  return gate
}

describeRedis('a canvas', () => {
  it('is not taken for sent when Redis has refused it', async () => {
    const client = await layer.openClient()
    const { redis } = client
    const total = chord(group([signature(double, { n: 1 })]), step(sum, 'numbers'))
    await redis.config('SET', 'min-replicas-to-write', '1')
    try {
      await expect(apply(client, total)).rejects.toThrow(/^Redis at .* has too few replicas to accept writes/)
    } finally {
      await redis.config('SET', 'min-replicas-to-write', '0')
    }
    expect(await redis.keys(`${layer.prefix}:*`)).toEqual([])
    await redis.config('SET', 'maxmemory', '1')
    try {
      await expect(apply(client, total)).rejects.toThrow(/^Redis at .* is full/)
    } finally {
      await redis.config('SET', 'maxmemory', '0')
    }
  })
})

describeRedis('a queue of any name', () => {
  it.each(['two words', 'größe', 'a.b', 'two\nlines', '__proto__', '*'])(
    '%j hands results and causes on',
    async (queue) => {
      const client = await layer.openClient()
      await layer.startWorker({ tasks: plain, queues: [queue] })
      const to = { queue }
      const doubled = (n: number) => signature(double, { n }, to)
      const total = await apply(client, chord(group([doubled(1), doubled(2)]), step(sum, 'numbers', {}, to)))
      expect(await total.get({ timeoutMs: 60_000 })).toBe(6)
      const failing = signature(fail, { why: 'the cause' }, to)
      const none = await apply(client, chord(group([doubled(1), failing]), step(sum, 'numbers', {}, to)))
      await expect(none.get({ timeoutMs: 60_000 })).rejects.toThrow('RangeError: the cause')
    },
  )
})

describeRedis('a group', () => {
  it('gives the results in the order of its members, whatever they are', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks: plain })
    const members = [
      signature(add, { a: 1, b: 2 }),
      chain(signature(add, { a: 1, b: 2 }), step(double, 'n')),
      chord(group([signature(double, { n: 1 }), signature(double, { n: 2 })]), step(sum, 'numbers')),
    ]
    const result = await apply(client, group(members))
    const values: number[] = await result.get()
    expect(values).toEqual([3, 6, 6])
    expect(result.tasks).toHaveLength(6)
  })

  it('of nothing is an empty list at once', async () => {
    const client = await layer.openClient()
    expect(await (await apply(client, group([]))).get()).toEqual([])
  })

  it('throws what its first failing member threw, and the others are done', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks: plain })
    const result = await apply(client, group([signature(double, { n: 1 }), signature(fail, { why: 'too far' })]))
    await expect(result.get()).rejects.toThrow('RangeError: too far')
    expect(await result.roots[0]?.settled()).toEqual({ ok: true, value: 2 })
  })
})

describeRedis('a chain', () => {
  it('computes what the functions would, one after the other', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks: plain })
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(fc.integer({ min: -1000, max: 1000 }), { maxLength: 6 }),
        async (a, bs) => {
          const parts = bs.map((b) => step(add, 'a', { b }))
          const result = await apply(client, chain<number>(signature(double, { n: a }), ...parts))
          expect(await result.get()).toBe(bs.reduce((value, b) => value + b, 2 * a))
        },
      ),
      { numRuns: 15 },
    )
  })

  it('runs no task before the one below it has ended', async () => {
    const client = await layer.openClient()
    const running: number[] = []
    let most = 0
    const turn = defineTask({
      name: 'turn',
      args: z.object({ at: z.number() }),
      run: async ({ at }) => {
        running.push(at)
        most = Math.max(most, running.length)
        await new Promise(setImmediate)
        running.splice(running.indexOf(at), 1)
        return at + 1
      },
    })
    await layer.startWorker({ tasks: [turn] })
    const steps = Array.from({ length: 10 }, () => step(turn, 'at'))
    expect(await (await apply(client, chain<number>(signature(turn, { at: 0 }), ...steps))).get()).toBe(11)
    expect(most).toBe(1)
  })

  it('passes nothing to a complete signature', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks: plain })
    const result = await apply(client, chain(signature(double, { n: 1 }), signature(add, { a: 1, b: 1 })))
    expect(await result.get()).toBe(2)
  })

  it('begins no task before its moment, which does not count from its turn', async () => {
    const client = await layer.openClient()
    const eta = new Date(Date.now() + 400)
    const began = defineTask({ name: 'began', args: z.object({}), run: () => Date.now() })
    const result = await apply(client, chain(signature(double, { n: 1 }), signature(began, {}, { eta })))
    const job = await client.queue('default').getJob(result.roots[0]?.id ?? '')
    expect([job?.data.notBefore, job?.opts.delay]).toEqual([eta.getTime(), undefined])
    await layer.startWorker({ tasks: [...plain, began] })
    expect(await result.get()).toBeGreaterThanOrEqual(eta.getTime())
  })

  it('continues when its sender is gone', async () => {
    const sender = await layer.openClient()
    const { id } = (await apply(sender, chain(signature(double, { n: 1 }), step(double, 'n')))).roots[0] ?? { id: '' }
    await sender[Symbol.asyncDispose]()
    await layer.startWorker({ tasks: plain })
    const other = await layer.openClient()
    expect(await other.result(id).get()).toBe(4)
  })

  it('fans out over a group in its middle and joins again', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks: plain })
    const middle = group([step(add, 'a', { b: 1 }), step(double, 'n'), signature(double, { n: 100 })])
    const result = await apply(
      client,
      chain<number>(signature(double, { n: 5 }), middle, step(sum, 'numbers'), step(double, 'n')),
    )
    expect(await result.get()).toBe(2 * (11 + 20 + 200))
    expect(await Promise.all(result.tasks.map((task) => task.get()))).toEqual([10, 231, 11, 20, 200, 462])
  })

  it('adds what follows once, even when the task before it runs several times', async () => {
    const client = await layer.openClient()
    let tries = 0
    let runs = 0
    const first = defineTask({ name: 'first', args: z.object({}), retries: { max: 2, baseMs: 1 }, run: () => ++tries })
    const counted = defineTask({ name: 'counted', args: z.object({ n: z.number() }), run: ({ n }) => (runs += n) })
    await layer.startWorker({ tasks: [first, counted], concurrency: 1 })
    const following = { ...client.toJob(signature(counted, { n: 1 })), opts: { jobId: 'default.by-hand.1' } }
    // Its parent is missing, so this one cannot be added; the other one has been added by then.
    const parent = { id: 'default.by-hand.9', queue: `${layer.prefix}:default` }
    const impossible = { ...following, opts: { jobId: 'default.by-hand.2', parent } }
    const canvas = { links: [following, impossible] }
    const opts = { jobId: 'default.by-hand.0', attempts: 3, backoff: { type: 'task' } }
    await client.queue('default').add('first', { args: {}, version: 1, canvas }, opts)
    await expect(client.result('default.by-hand.0').get()).rejects.toThrow('Missing key for parent job')
    await client.result('default.by-hand.1').get()
    expect({ tries, runs }).toEqual({ tries: 3, runs: 1 })
  })
})

describeRedis('a chord', () => {
  it('gives its body all results, in the order of the header', async () => {
    const client = await layer.openClient()
    const slowFirst = defineTask({
      name: 'slow-first',
      args: z.object({ n: z.number() }),
      run: async ({ n }) => {
        for (let turn = 0; turn < 100 - n; turn++) await new Promise(setImmediate)
        return n
      },
    })
    await layer.startWorker({ tasks: [slowFirst, list], concurrency: 50 })
    const numbers = Array.from({ length: 100 }, (_, n) => n)
    const header = group(numbers.map((n) => signature(slowFirst, { n })))
    expect(await (await apply(client, chord(header, step(list, 'values')))).get()).toEqual(numbers)
  })

  const outcomes: Record<Exclude<OnFailure, 'wait'>, unknown> = {
    fail: new TaskFailed('', 'RangeError', 'no', ''),
    ignore: [2, null],
    continue: [2, null],
    remove: [2, null],
  }
  it.each(Object.entries(outcomes))('whose header fails: %s', async (onFailure, expected) => {
    const client = await layer.openClient()
    // One after the other, so that the first has succeeded when the second fails.
    await layer.startWorker({ tasks: plain, concurrency: 1 })
    const header = group([signature(double, { n: 1 }), signature(fail, { why: 'no' })])
    const result = await apply(client, chord(header, step(list, 'values'), { onFailure: onFailure as OnFailure }))
    if (expected instanceof Error) await expect(result.get()).rejects.toThrow('RangeError: no')
    else expect(await result.get()).toEqual(expected)
    expect(await result.roots[0]?.state()).toBe(expected instanceof Error ? 'failed' : 'succeeded')
  })

  it('whose header fails: wait', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks: plain, concurrency: 1 })
    const header = group([signature(fail, { why: 'no' })])
    const result = await apply(client, chord(header, step(list, 'values'), { onFailure: 'wait' }))
    await result.tasks[0]?.settled()
    await (await client.send(double, { n: 1 })).get()
    expect(await client.queue('default').getJobState(result.roots[0]?.id ?? '')).toBe('waiting-children')
  })

  it('continues at the first failure: with the results so far, without what has not begun; it ends after what still runs', async () => {
    const client = await layer.openClient()
    const open = Promise.withResolvers<number>()
    const gate = defineTask({ name: 'gate', args: z.object({}), run: () => open.promise })
    using asked = vi.spyOn(Job.prototype, 'getDependenciesCount')
    const { got, task, tasks } = recorder()
    const worker = await layer.startWorker({ tasks: [...tasks, gate], queues: ['default', 'gates'], concurrency: 1 })
    const later = signature(double, { n: 1 }, { queue: 'nobody' })
    const header = group<unknown>([signature(gate, {}, { queue: 'gates' }), signature(fail, { why: 'no' }), later])
    const result = await apply(client, chord(header, step(task, 'value'), { onFailure: 'continue' }))
    await until(() => got.length)
    expect(got).toEqual([[null, null, null]])
    // It was removed before, so that nobody begins it meanwhile.
    expect(await result.tasks[2]?.state()).toBe('unknown')
    expect(worker.active().map((each) => each.task)).toContain('gate')
    // It asks again and again whether that one still runs.
    await until(() => asked.mock.calls.length >= 3)
    open.resolve(1)
    await result.get()
    expect(await result.tasks[0]?.get()).toBe(1)
  })

  it('ends although a task below it has lost its worker, and that one is not run again', async () => {
    const client = await layer.openClient()
    const gate = neverEnding()
    const { got, task, tasks } = recorder()
    const leaving = await layer.startWorker({ tasks: [gate.task], queues: ['gates'] })
    const header = group<unknown>([signature(gate.task, {}, { queue: 'gates' }), signature(fail, { why: 'no' })])
    const result = await apply(client, chord(header, step(task, 'value'), { onFailure: 'continue' }))
    await until(() => gate.begun === 1)
    await layer.startWorker({ tasks })
    await until(() => got.length)
    await leaving.close({ graceMs: 1 })
    await result.get()
    expect([gate.begun, await result.tasks[0]?.state()]).toEqual([1, 'unknown'])
  })

  it('is given back, and has not failed, when its worker ends while others below it run', async () => {
    const client = await layer.openClient()
    const gate = neverEnding()
    const { got, task, tasks } = recorder()
    const worker = await layer.startWorker({
      tasks: [...tasks, gate.task],
      queues: ['default', 'gates'],
      concurrency: 1,
    })
    const header = group<unknown>([signature(gate.task, {}, { queue: 'gates' }), signature(fail, { why: 'no' })])
    const result = await apply(client, chord(header, step(task, 'value'), { onFailure: 'continue' }))
    await until(() => got.length)
    await worker.close({ graceMs: 1 })
    expect(await result.roots[0]?.state()).toBe('waiting')
  })

  it('that a worker no longer holds does not blame its header', async () => {
    const client = await layer.openClient()
    const result = await apply(client, chord(group([signature(double, { n: 1 })]), step(sum, 'numbers')))
    const body = await client.queue('default').getJob(result.roots[0]?.id ?? '')
    await expect(body && waitsAgain(body, 'of that worker')).rejects.toThrow('Missing lock for job')
  })

  it('fails when a task of its header was revoked', async () => {
    const client = await layer.openClient()
    const header = group([signature(double, { n: 1 }), signature(double, { n: 2 })])
    const result = await apply(client, chord(header, step(sum, 'numbers')))
    await revoke(client, result.tasks.slice(1, 2))
    await layer.startWorker({ tasks: plain })
    await expect(result.get()).rejects.toThrow('TaskRevoked')
  })
})

describeRedis('a failure in a chain', () => {
  it("is reported as it was, with the worker's stack; nothing above it runs", async () => {
    const client = await layer.openClient()
    const { got, task, tasks } = recorder()
    await layer.startWorker({ tasks })
    const result = await apply(client, chain(signature(fail, { why: 'early' }), step(double, 'n'), step(task, 'value')))
    const error = await result.get().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ remoteName: 'RangeError', message: 'RangeError: early', taskId: result.tasks[0]?.id })
    expect((error as TaskFailed).remoteStack).toContain('canvas.test.ts')
    expect(await Promise.all(result.tasks.map((each) => each.state()))).toEqual(['failed', 'failed', 'failed'])
    expect(got).toEqual([])
  })

  it('comes only after the retries', async () => {
    const client = await layer.openClient()
    let tries = 0
    const flaky = defineTask({
      name: 'flaky',
      args: z.object({}),
      retries: { max: 3, baseMs: 1 },
      run: () => {
        if (++tries < 3) throw new Error('not yet')
        return tries
      },
    })
    const { errors, onError, tasks } = recorder()
    await layer.startWorker({ tasks: [flaky, ...tasks] })
    const canvas = linkError(chain(signature(flaky, {}), step(double, 'n')), step(onError, 'error'))
    expect(await (await apply(client, canvas)).get()).toBe(6)
    expect(errors).toEqual([])
  })

  it('is not that its worker gives a task back', async () => {
    const client = await layer.openClient()
    const gate = neverEnding()
    const { onError, tasks } = recorder()
    const worker = await layer.startWorker({ tasks: [gate.task, ...tasks] })
    await apply(client, linkError(signature(gate.task, {}), step(onError, 'error')))
    await until(() => gate.begun === 1)
    await worker.close({ graceMs: 1 })
    const jobs = await client.queue('default').getJobs()
    expect(jobs.map(({ name }) => name)).toEqual(['gate'])
  })
})

describeRedis('a failed chord that is retried by hand', () => {
  /** A chord whose second member fails until `repaired`, with all its jobs failed or done. */
  async function failedChord() {
    const log: string[] = []
    const state = { repaired: false }
    const member = defineTask({
      name: 'member',
      args: z.object({ n: z.number() }),
      run: async ({ n }) => {
        log.push(`member ${n}`)
        await delay(5)
        if (n === 2 && !state.repaired) throw new Error('broken')
        return n
      },
    })
    const body = defineTask({
      name: 'body',
      args: z.object({ values: z.array(z.number().nullable()) }),
      run: ({ values }) => {
        log.push('body')
        return values
      },
    })
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [member, body] })
    const members = [1, 2, 3].map((n) => signature(member, { n }))
    const { roots, tasks, get } = await apply(client, chord(group(members), step(body, 'values')))
    await expect(get()).rejects.toThrow('broken')
    await Promise.all(tasks.map((task) => task.settled()))
    log.length = 0
    state.repaired = true
    const [root, second] = [roots[0]?.id ?? '', tasks[1]?.id ?? '']
    const retry = async (id: string) => void (await (await client.queue('default').getJob(id))?.retry())
    return { client, log, root, second, retry }
  }

  const orders: [name: string, order: ('root' | 'second')[]][] = [
    ['header first', ['second', 'root']],
    ['body first', ['root', 'second']],
  ]
  it.each(orders)('runs its body after its header: %s', async (_, order) => {
    const { client, log, root, second, retry } = await failedChord()
    // Both at once, as a list of failed jobs is retried.
    await Promise.all(order.map((which) => retry(which === 'root' ? root : second)))
    // The body may have been taken before its header was there to wait for, and then it says so.
    const outcome = await client.result(root).settled()
    if (!outcome.ok) {
      expect(outcome.error.message).toBe('PredecessorFailed: body: a task before it has failed: retry that one first')
      expect(await client.result(second).get()).toBe(2)
      await retry(root)
    }
    expect(await (await layer.openClient()).result(root).get()).toEqual([1, 2, 3])
    expect(log).toEqual(['member 2', 'body'])
  })

  it('does not run its body without its header, and says what to retry', async () => {
    const { client, log, root, second, retry } = await failedChord()
    await retry(root)
    await expect(client.result(root).get()).rejects.toMatchObject({ remoteName: 'PredecessorFailed' })
    expect(log).toEqual([])
    await retry(second)
    expect(await client.result(second).get()).toBe(2)
    await retry(root)
    expect(await (await layer.openClient()).result(root).get()).toEqual([1, 2, 3])
  })
})

describeRedis('starmap and chunks', () => {
  it('run a task for each of the arguments, in few messages', async () => {
    const client = await layer.openClient()
    const worker = await layer.startWorker({ tasks: plain })
    const numbers = Array.from({ length: 25 }, (_, n) => ({ n }))
    const mapped: number[] = await (await apply(client, starmap(double, numbers))).get()
    expect(mapped).toEqual(numbers.map(({ n }) => 2 * n))
    const parts: number[][] = await (await apply(client, chunks(double, numbers, 10))).get()
    expect(parts.map((part) => part.length)).toEqual([10, 10, 5])
    expect(parts.flat()).toEqual(mapped)
    expect(worker.stats().succeeded).toBe(1 + 3)
    const total = chain<number>(group([starmap(double, numbers)]), step(sum, 'numbers'))
    await expect(apply(client, total).then((sent) => sent.get())).rejects.toThrow('InvalidArguments: sum: numbers.0')
    expect(await (await apply(client, chain(starmap(double, numbers), step(sum, 'numbers')))).get()).toBe(600)
    expect(await (await apply(client, starmap(double, []))).get()).toEqual([])
  })

  it('apply the limits to the whole list, even when its tasks never wait', async () => {
    const client = await layer.openClient()
    let runs = 0
    const spin = defineTask({
      name: 'spin',
      args: z.object({}),
      hardLimitMs: 50,
      run: () => {
        runs++
        const end = performance.now() + 5
        while (performance.now() < end);
      },
    })
    await layer.startWorker({ tasks: [spin] })
    const mapped = await apply(client, starmap(spin, Array(400).fill({})))
    await expect(mapped.get()).rejects.toThrow('hard limit of 50 ms')
    expect(runs).toBeLessThan(400)
  })

  it('fail if their arguments are no list, as another program may send them', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks: plain })
    const message = { args: { n: 1 }, version: 1, canvas: { map: true as const } }
    await client.queue('default').add('double', message, { jobId: 'default.raw.1' })
    await expect(client.result('default.raw.1').get()).rejects.toThrow('InvalidArguments: double: received no list')
  })

  it('refuse arguments that do not match before anything is sent', async () => {
    const client = await layer.openClient()
    await expect(apply(client, starmap(double, [{ n: 1 }, { n: 'two' as never }]))).rejects.toThrow(InvalidArguments)
    expect(() => chunks(double, [{ n: 1 }], 0)).toThrow('received a size of 0; accepts a whole number from 1')
    expect(await client.queue('default').count()).toBe(0)
  })
})

describeRedis('link', () => {
  it('sends others after the success, with the result, and is no part of it', async () => {
    const client = await layer.openClient()
    const { got, task, errors, onError, tasks } = recorder()
    await layer.startWorker({ tasks })
    const linked = linkError(
      link(
        signature(double, { n: 4 }),
        step(task, 'value'),
        signature(task, { value: 'fixed' }),
        signature(fail, { why: 'linked' }),
      ),
      step(onError, 'error'),
    )
    const result = await apply(client, linked)
    expect(await result.get()).toBe(8)
    expect(result.linked).toHaveLength(4)
    await Promise.all(result.linked.slice(0, 2).map((each) => each.get()))
    expect(got.sort()).toEqual([8, 'fixed'])
    expect(errors).toEqual([])
  })

  it('expire at once if they may not wait at all, alone or after another', async () => {
    const client = await layer.openClient()
    const now = { expiresInMs: 0 }
    const linked = await apply(
      client,
      link(signature(double, { n: 1 }), signature(double, { n: 2 }, { ...now, queue: 'b' })),
    )
    await layer.startWorker({ tasks: plain })
    await linked.get()
    const alone = await client.send(double, { n: 3 }, { ...now, queue: 'b' })
    await delay(2)
    await layer.startWorker({ tasks: plain, queues: ['b'] })
    const late = [alone, ...linked.linked]
    expect(await Promise.all(late.map((each) => each.settled()))).toMatchObject(
      late.map(() => ({ error: { remoteName: 'TaskExpired' } })),
    )
  })

  it('counts the time until others expire from their turn', async () => {
    const client = await layer.openClient()
    const linked = link(signature(double, { n: 1 }), signature(double, { n: 2 }, { expiresInMs: 5_000 }))
    const { id } = (await apply(client, linked)).roots[0] ?? { id: '' }
    const job = await client.queue('default').getJob(id)
    const [follower] = job?.data.canvas?.links ?? []
    expect(follower?.data).toEqual({ args: { n: 2 }, version: 1, expiresInMs: 5_000 })
  })

  it('does not send them after a failure, which goes to linkError, once, with its stack', async () => {
    const client = await layer.openClient()
    const { got, task, errors, onError, tasks } = recorder()
    await layer.startWorker({ tasks })
    const failing = linkError(link(signature(fail, { why: 'broken' }), step(task, 'value')), step(onError, 'error'))
    const result = await apply(client, failing)
    await expect(result.get()).rejects.toThrow('RangeError: broken')
    await until(() => errors.length)
    expect(errors).toMatchObject([{ id: result.tasks[0]?.id, task: 'fail', name: 'RangeError', message: 'broken' }])
    expect(errors[0]?.stack).toContain('canvas.test.ts')
    expect(got).toEqual([])
  })

  it('does not send them a result that is refused, which is a failure too', async () => {
    const { got, task, errors, onError, tasks } = recorder()
    const results: unknown[] = [{ cents: Number.NaN }, 'x'.repeat(200), [1]]
    const pick = defineTask({ name: 'pick', args: z.object({ at: z.int() }), run: ({ at }) => results[at] })
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [...tasks, pick], maxPayloadBytes: 100 })
    const sent = results.map((_, at) =>
      linkError(link(signature(pick, { at }), step(task, 'value')), step(onError, 'error')),
    )
    const applied = await Promise.all(sent.map((each) => apply(client, each)))
    await Promise.allSettled(applied.map((result) => result.get()))
    await until(() => got.length > 0 && errors.length > 1)
    expect(got).toEqual([[1]])
    expect(errors.map(({ name }) => name).sort()).toEqual(['InvalidResult', 'PayloadTooLarge'])
  })

  it('linkError of a chain is called for the task that failed, and not for those above it', async () => {
    const client = await layer.openClient()
    const { errors, onError, tasks } = recorder()
    await layer.startWorker({ tasks })
    const parts = chain<number>(signature(double, { n: 1 }), step(fail, 'why'), step(double, 'n'))
    const result = await apply(client, linkError(parts, step(onError, 'error')))
    await expect(result.get()).rejects.toThrow('InvalidArguments: fail: why')
    await result.roots[0]?.settled()
    await until(() => errors.length)
    await (await client.send(double, { n: 1 })).get()
    expect(errors).toMatchObject([{ task: 'fail', name: 'InvalidArguments' }])
  })
})

describeRedis('what is stored', () => {
  const jobsOf = async (client: Client, results: readonly TaskResult[]) =>
    await Promise.all(results.map(({ id }) => client.queue('default').getJob(id)))

  it('leaves nothing on the connection of its sender', async () => {
    const client = await layer.openClient()
    const listeners = () => client.redis.eventNames().map((name) => [name, client.redis.listenerCount(name)])
    const before = listeners()
    for (let times = 0; times < 3; times++) await apply(client, signature(double, { n: times }))
    expect(listeners()).toEqual(before)
  })

  it('of a chain with a group: what each task takes, and what its worker adds later', async () => {
    const client = await layer.openClient()
    const eta = new Date(Date.now() + 3_600_000)
    const middle = group([step(double, 'n', {}, { eta }), signature(double, { n: 1 }, { expiresInMs: 5_000 })])
    const { tasks } = await apply(client, chain(signature(double, { n: 5 }), middle, step(sum, 'numbers')))
    const [first, root, ...later] = await jobsOf(client, tasks)
    const [, rootId, ...from] = tasks.map(({ id }) => id)
    expect(root?.data.canvas).toEqual({ after: true, takes: { into: 'numbers', from, all: true } })
    expect(later).toEqual([undefined, undefined])
    const links = first?.data.canvas?.links ?? []
    expect(first?.data.canvas).toEqual({ links })
    expect(links.map(({ data, into }) => ({ data, into }))).toEqual([
      { data: { args: {}, version: 1, notBefore: eta.getTime() }, into: 'n' },
      { data: { args: { n: 1 }, version: 1, expiresInMs: 5_000 } },
    ])
    const parent = { id: rootId, queue: `${layer.prefix}:default` }
    for (const [at, { opts }] of links.entries()) {
      expect(opts).toMatchObject({ jobId: from[at], parent, failParentOnFailure: true })
      expect(opts).not.toHaveProperty('delay')
    }
    expect(first?.opts).toMatchObject({ failParentOnFailure: true })
    expect(root?.opts).not.toHaveProperty('failParentOnFailure')
  })

  it.each<[OnFailure, object]>([
    ['fail', { failParentOnFailure: true }],
    ['ignore', { ignoreDependencyOnFailure: true }],
    ['continue', { continueParentOnFailure: true }],
    ['remove', { removeDependencyOnFailure: true }],
    ['wait', {}],
  ])('of a chord: what a failure does, %s', async (onFailure, option) => {
    const client = await layer.openClient()
    const header = group([signature(double, { n: 1 })])
    const { tasks } = await apply(client, chord(header, step(list, 'values'), { onFailure }))
    const [member, body] = await jobsOf(client, tasks)
    const options = Object.entries(member?.opts ?? {}).filter(([name]) => name.endsWith('OnFailure'))
    expect(Object.fromEntries(options)).toEqual(option)
    const { takes: _, ...turn } = body?.data.canvas ?? {}
    expect(turn).toEqual(onFailure === 'continue' ? { early: true } : { after: true })
  })
})

describeRedis('what cannot be run', () => {
  it.each([
    ['a step with nothing before it', step(double, 'n'), '"n" needs the result of a task before it'],
    ['a chain of nothing', chain(), 'the chain is empty'],
    ['a chord of nothing', chord(group<number>([]), step(sum, 'numbers')), 'nothing would ever start its body'],
    [
      'a chain that ends with a group',
      chain(signature(double, { n: 1 }), group([step(double, 'n')])),
      'a group inside a chain needs one task before it, and one after it that takes its results',
    ],
    ['a chain that is a group', chain(group([signature(double, { n: 1 })])), 'a chain ends with a task'],
    [
      'an idempotency key',
      chain(signature(double, { n: 1 }, { idempotencyKey: 'once' }), step(double, 'n')),
      'cannot have an idempotency key',
    ],
    [
      'a group after a group',
      chain(group([signature(double, { n: 1 })]), group([step(double, 'n')]), step(sum, 'numbers')),
      'a group inside a chain needs one task before it',
    ],
    [
      'a group before a chain',
      chain(signature(double, { n: 1 }), group([step(double, 'n')]), chain(step(sum, 'numbers'))),
      'and one after it that takes its results',
    ],
    [
      'a chain in a group in a chain',
      chain(signature(double, { n: 1 }), group([chain(step(double, 'n'))]), step(sum, 'numbers')),
      'a group inside a chain may contain only single tasks',
    ],
    [
      'a chain in a chain',
      chain(signature(double, { n: 1 }), chain(signature(double, { n: 2 }))),
      'a chain inside a chain: put its parts into the outer one',
    ],
    ['arguments that do not fit', chain(signature(double, { n: 1 }), step(add, 'a', { b: 'x' as never })), 'add: b:'],
  ])('%s is refused, and nothing is sent', async (_, canvas, message) => {
    const client = await layer.openClient()
    await expect(apply(client, canvas)).rejects.toThrow(message)
    expect(await client.queue('default').getJobCounts()).toMatchObject({ waiting: 0, 'waiting-children': 0 })
  })
})
