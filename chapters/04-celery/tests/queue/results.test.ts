/** Sending and results: what arrives, what an error carries, how waits end, what is kept and what is not. */
import { until } from '@repo/common/async/until'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { link } from '../../src/canvas/canvas.ts'
import type { Client } from '../../src/queue/client.ts'
import { InvalidArguments, PayloadTooLarge, ResultTimeout, TaskFailed, TaskGone } from '../../src/queue/errors.ts'
import { replyChannel } from '../../src/queue/message.ts'
import { gather } from '../../src/queue/results.ts'
import { schedule } from '../../src/queue/schedule.ts'
import { defineTask, signature } from '../../src/queue/task.ts'
import { jsonValue } from '../fixtures/json-value.ts'
import { describeRedis, useLayer } from '../fixtures/layer.ts'

const layer = useLayer()

const add = defineTask({
  name: 'add',
  args: z.object({ a: z.number(), b: z.number() }),
  run: ({ a, b }) => a + b,
})
const same = defineTask({ name: 'same', args: z.object({ value: z.json() }), run: ({ value }) => value })
const fail = defineTask({
  name: 'fail',
  args: z.object({ message: z.string() }),
  run: function thrower({ message }): number {
    throw new RangeError(message)
  },
})
const tasks = [add, same, fail]

describeRedis('a result', () => {
  it('comes back typed', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks })
    const sum: number = await (await client.send(add, { a: 1, b: 2 })).get()
    expect(sum).toBe(3)
  })

  it('is whatever JSON can carry, unchanged, small or large', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks })
    const text = 'x'.repeat(100_000)
    const large = [{ value: text }, { value: Array.from({ length: 20_000 }, (_, at) => at) }, { value: { text } }]
    await fc.assert(
      fc.asyncProperty(fc.array(jsonValue, { maxLength: 20 }), async (values) => {
        const sent = await client.sendMany(
          same,
          values.map((value) => ({ value: value as z.infer<ReturnType<typeof z.json>> })),
        )
        expect(await gather(sent)).toEqual(values)
      }),
      { numRuns: 20 },
    )
    expect(await gather(await client.sendMany(same, large))).toEqual(large.map(({ value }) => value))
  })

  it('of thousands of tasks come in the order in which they were sent', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks })
    const sent = await client.sendMany(
      add,
      Array.from({ length: 3_000 }, (_, at) => ({ a: at, b: 1 })),
    )
    expect(await gather(sent)).toEqual(Array.from({ length: 3_000 }, (_, at) => at + 1))
  })

  it('can be waited for in another process by its id, before and after its end', async () => {
    const client = await layer.openClient()
    const other = await layer.openClient()
    const sent = await client.send(add, { a: 1, b: 2 })
    const early = other.result<number>(sent.id).get()
    await layer.startWorker({ tasks })
    expect(await early).toBe(3)
    expect(await other.result<number>(sent.id).get()).toBe(3)
    expect(() => other.result('17')).toThrow('does not say its queue')
  })

  it('is found when its publication was missed', async () => {
    const client = await layer.openClient()
    const sent = await client.send(add, { a: 1, b: 2 })
    const value = sent.get()
    // As after a lost connection: nobody is subscribed to the channel.
    await client.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await layer.startWorker({ tasks })
    expect(await value).toBe(3)
  })

  it('comes whatever else is published on the channel', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks })
    const sent = await client.send(add, { a: 1, b: 2 }, { countdownMs: 600_000 })
    const other = await layer.openClient()
    const texts = [
      '',
      '{',
      'null',
      '17',
      '{}',
      '[null]',
      '[[1,"ok",2]]',
      `[["${sent.id}"]]`,
      `[["${sent.id}","error",1]]`,
    ]
    for (const text of texts) await other.redis.publish(replyChannel(layer.prefix, client.id), text)
    await (await client.queue('default').getJob(sent.id))?.promote()
    expect(await sent.get()).toBe(3)
  })

  it('that is damaged fails its own wait and no other', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks })
    const ids = (
      await client.sendMany(add, [
        { a: 1, b: 2 },
        { a: 3, b: 4 },
      ])
    ).map(({ id }) => id)
    await gather(ids.map((id) => client.result(id)))
    await client.redis.hset(`${layer.prefix}:default:${ids[0]}`, 'returnvalue', '{')
    const other = await layer.openClient()
    const [bad, good] = await Promise.allSettled(ids.map((id) => other.result(id).get()))
    expect(bad).toMatchObject({ reason: { name: 'TaskGone', message: expect.stringMatching(/is not JSON$/) } })
    expect(good).toMatchObject({ value: 7 })
  })

  it('says where the task is', async () => {
    const client = await layer.openClient()
    const [now, later] = [
      await client.send(add, { a: 1, b: 2 }),
      await client.send(add, { a: 1, b: 2 }, { countdownMs: 60_000 }),
    ]
    expect([await now.state(), await later.state()]).toEqual(['waiting', 'scheduled'])
    expect(await now.progress()).toBe(0)
    const open = Promise.withResolvers<void>()
    const gate = defineTask({ name: 'gate', args: z.object({}), run: () => open.promise })
    await layer.startWorker({ tasks: [gate], queues: ['gates'] })
    const held = await client.send(gate, {}, { queue: 'gates' })
    await until(async () => (await held.state()) === 'running')
    open.resolve()
    const bad = await client.send(fail, { message: 'no' })
    await layer.startWorker({ tasks })
    await now.get()
    await bad.settled()
    expect([await now.state(), await bad.state()]).toEqual(['succeeded', 'failed'])
    const nobody = client.result('default.nobody.1')
    expect([await nobody.state(), await nobody.progress()]).toEqual(['unknown', 0])
  })
})

describeRedis('an error', () => {
  it('carries the name, the message and the stack of the worker', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks })
    const outcome = await (await client.send(fail, { message: 'too far' })).settled()
    expect(outcome).toMatchObject({ ok: false, error: { message: 'RangeError: too far', remoteName: 'RangeError' } })
    if (outcome.ok || !(outcome.error instanceof TaskFailed)) throw new Error('not a TaskFailed')
    expect(outcome.error.remoteStack).toMatch(/^RangeError: too far\n\s+at .*results\.test\.ts:\d+/)
    expect(outcome.error.stack).toContain('results.test.ts')
  })

  it('is the same read from Redis as published', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks })
    const sent = await client.send(fail, { message: '' })
    await expect(sent.get()).rejects.toThrow('RangeError')
    await expect(client.result(sent.id).get()).rejects.toMatchObject({ remoteName: 'RangeError' })
  })

  it('ends the wait for several at once', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks })
    const later = await client.send(add, { a: 1, b: 1 }, { countdownMs: 600_000 })
    const bad = await client.send(fail, { message: 'first' })
    await expect(gather([later, bad])).rejects.toThrow('first')
  })
})

describeRedis('a wait', () => {
  it('with a timeout ends without a worker, and says where the task is', async () => {
    const client = await layer.openClient()
    const sent = await client.send(add, { a: 1, b: 2 })
    const error = await sent.get({ timeoutMs: 50 }).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(ResultTimeout)
    // It says where the task is only if Redis answers in time.
    const [message, state] = error.message.split('; ')
    expect(message).toBe(`no result of add (${sent.id}) within 50 ms`)
    expect([undefined, 'it is waiting']).toContain(state)
    await layer.startWorker({ tasks })
    expect(await sent.get()).toBe(3)
  })

  it('ends with the signal', async () => {
    const client = await layer.openClient()
    const sent = await client.sendMany(add, [
      { a: 1, b: 2 },
      { a: 3, b: 4 },
    ])
    const reason = new Error('enough')
    const controller = new AbortController()
    const waiting = gather(sent, { signal: controller.signal })
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await expect(gather(sent, { signal: controller.signal })).rejects.toBe(reason)
  })

  it('ends when the task is purged', async () => {
    const client = await layer.openClient()
    const sent = await client.sendMany(
      add,
      [
        { a: 1, b: 2 },
        { a: 3, b: 4 },
      ],
      { countdownMs: 60_000 },
    )
    const gone = expect(sent[0]?.get()).rejects.toThrow(TaskGone)
    expect(await client.purge('default')).toBe(2)
    await gone
    expect(await client.purge('default')).toBe(0)
  })

  it('ends when the client is closed', async () => {
    const client = await layer.openClient()
    const waiting = (await client.send(add, { a: 1, b: 2 })).get()
    waiting.catch(() => {})
    await client[Symbol.asyncDispose]()
    await expect(waiting).rejects.toThrow('the client was closed')
    await expect(client.result('default.nobody.1').get()).rejects.toThrow('the client was closed')
  })
})

describeRedis('what is kept', () => {
  it('is gone when forgotten', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks })
    const sent = await client.send(add, { a: 1, b: 2 })
    await sent.get()
    await sent.forget()
    expect(await sent.state()).toBe('unknown')
    await expect(client.result(sent.id).get()).rejects.toThrow(TaskGone)
    // The sender itself still knows.
    expect(await sent.get()).toBe(3)
  })

  it('is not kept for a success whose result is ignored, but is for a failure', async () => {
    const client = await layer.openClient()
    const worker = await layer.startWorker({ tasks })
    const good = await client.send(add, { a: 1, b: 2 }, { ignoreResult: true })
    await expect(good.get()).rejects.toThrow(TaskGone)
    const bad = await client.send(fail, { message: 'x' }, { ignoreResult: true })
    await until(() => worker.stats().succeeded === 1 && worker.stats().failed === 1)
    expect([await good.state(), await bad.state()]).toEqual(['unknown', 'failed'])
  })

  it.each([
    ['a success for a day', 'completed', 24, (client: Client) => client.send(add, { a: 1, b: 2 })],
    ['a failure for two weeks', 'failed', 14 * 24, (client: Client) => client.send(fail, { message: 'x' })],
  ] as const)('is %s', async (_, set, hours, begin) => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks })
    const send = async () => {
      const sent = await begin(client)
      await sent.settled()
      return sent
    }
    const [young, old] = [await send(), await send()]
    // It ended an hour sooner or later than that, as far as Redis knows.
    for (const [{ id }, age] of [
      [young, hours - 1],
      [old, hours + 1],
    ] as const) {
      await client.redis.zadd(`${layer.prefix}:default:${set}`, 'XX', Date.now() - age * 3_600_000, id)
    }
    await send()
    expect([await client.result(old.id).state(), await client.result(young.id).state()]).toEqual([
      'unknown',
      set === 'failed' ? 'failed' : 'succeeded',
    ])
  })
})

describeRedis('sending', () => {
  it('refuses arguments that do not match, and sends nothing of the list', async () => {
    const client = await layer.openClient()
    const wrong = signature(add, { a: 1, b: '2' as unknown as number })
    const error = await client.sendAll([signature(add, { a: 1, b: 2 }), wrong]).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(InvalidArguments)
    expect(error.message).toMatch(/^add: b: .*expected number/)
    expect(await client.queue('default').getJobCountByTypes('waiting')).toBe(0)
  })

  it('refuses arguments that are too large, unless the task allows them', async () => {
    const client = await layer.openClient({ maxPayloadBytes: 1_000 })
    const value = 'x'.repeat(1_000)
    await expect(client.send(same, { value })).rejects.toThrow(PayloadTooLarge)
    await expect(client.send(same, { value })).rejects.toThrow('received arguments of 1012 bytes; accepts 1000')
    const roomy = { ...same, maxPayloadBytes: 2_000 }
    await client.send(roomy, { value })
    expect(await client.queue('default').getJobCountByTypes('waiting')).toBe(1)
  })

  it('refuses a part of a canvas, and a key without a result to remember it by', async () => {
    const client = await layer.openClient()
    const sum = signature(add, { a: 1, b: 2 })
    const linked = link(sum, sum)
    await expect(client.sendAll([linked])).rejects.toThrow('add: a step, or a task with links, is part of a canvas')
    await expect(client.sendAll([{ ...sum, into: 'a' }])).rejects.toThrow('send it with apply')
    await expect(schedule(client, 'often', { everyMs: 1_000 }, linked)).rejects.toThrow('send it with apply')
    const options = { idempotencyKey: 'order 7', ignoreResult: true }
    await expect(client.send(add, { a: 1, b: 2 }, options)).rejects.toThrow('an idempotency key holds as long as')
    expect(await client.queue('default').count()).toBe(0)
  })

  it('with the same idempotency key is one task with one result', async () => {
    let runs = 0
    const counted = defineTask({ name: 'counted', args: z.object({}), run: () => ++runs })
    const [client, other] = [await layer.openClient(), await layer.openClient()]
    const first = await client.send(counted, {}, { idempotencyKey: 'order 7' })
    const second = await other.send(counted, {}, { idempotencyKey: 'order 7' })
    const third = await other.send(counted, {}, { idempotencyKey: 'order 8' })
    await layer.startWorker({ tasks: [counted] })
    expect(second.id).toBe(first.id)
    expect(await gather([first, second])).toEqual([1, 1])
    expect(await third.get()).toBe(2)
    // Even long after its end.
    expect(await (await other.send(counted, {}, { idempotencyKey: 'order 7' })).get()).toBe(1)
    expect(runs).toBe(2)
  })
})
