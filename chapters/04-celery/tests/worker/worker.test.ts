/** Workers: what they run, what they leave to others, what they survive, and that nothing is lost when they end. */
import { once } from 'node:events'
import { until } from '@repo/common/async/until'
import { startProgram } from '@repo/common/process/child'
import { expect, it, vi } from 'vitest'
import { z } from 'zod'
import type { Client } from '../../src/queue/client.ts'
import type { Message } from '../../src/queue/message.ts'
import { gather, type TaskResult } from '../../src/queue/results.ts'
import { revoke } from '../../src/queue/revoke.ts'
import { defineTask } from '../../src/queue/task.ts'
import { add, echo } from '../../src/tasks/index.ts'
import type { Middleware } from '../../src/worker/call.ts'
import { findsLost } from '../fixtures/finds-lost.ts'
import { describeRedis, useLayer } from '../fixtures/layer.ts'

const layer = useLayer()

/** A task that runs until `open` is called; `begun` counts the runs. */
function gate(name = 'gate') {
  const open = Promise.withResolvers<void>()
  const state = {
    begun: 0,
    most: 0,
    now: 0,
    open: () => open.resolve(),
    task: defineTask({
      name,
      args: z.object({}),
      run: async () => {
        state.begun++
        state.most = Math.max(state.most, ++state.now)
        await open.promise
        state.now--
        return 'done'
      },
    }),
  }
  return state
}

/** Retries a failed task, as Bull Board does, and waits for its result. */
async function retried(client: Client, { id, queue }: TaskResult): Promise<unknown> {
  await (await client.queue(queue).getJob(id))?.retry()
  return await client.result(id).get()
}

describeRedis('a message', () => {
  it('that does not match fails its task and harms no worker', async () => {
    const client = await layer.openClient()
    const worker = await layer.startWorker({ tasks: [add] })
    // As a sender in another language, or of another version, may write it.
    const messages: unknown[] = [
      { args: { a: 'one', b: 2 }, version: 1 },
      { args: null, version: 1 },
      { version: 1 },
      {},
      'text',
      17,
      null,
      [],
    ]
    const queue = client.queue('default')
    for (const [at, data] of messages.entries()) await queue.add('add', data as Message, { jobId: `default.raw.${at}` })
    const outcomes = await Promise.all(messages.map((_, at) => client.result(`default.raw.${at}`).settled()))
    for (const outcome of outcomes) expect(outcome).toMatchObject({ error: { remoteName: 'InvalidArguments' } })
    expect(String(outcomes[0]?.ok === false && outcomes[0].error.message)).toMatch(
      /^InvalidArguments: add: a: .*expected number/,
    )
    expect(await (await client.send(add, { a: 1, b: 2 })).get()).toBe(3)
    expect(worker.stats()).toMatchObject({ failed: messages.length, succeeded: 1 })
  })

  it('for a task that a worker does not know is left to one that does', async () => {
    const client = await layer.openClient()
    const old = await layer.startWorker({ tasks: [add], name: 'old', leaveToOthers: { times: 600_000, forMs: 1 } })
    const result = await client.send(echo, { text: 'hello' })
    await until(async () => (await client.queue('default').getJob(result.id))?.attemptsStarted)
    await layer.startWorker({ tasks: [add, echo], name: 'new' })
    expect(await result.get()).toBe('hello')
    expect(old.stats()).toMatchObject({ succeeded: 0, failed: 0 })
  })

  it('that nobody knows fails, says why, and can be retried when a worker knows it', async () => {
    const client = await layer.openClient()
    const leaveToOthers = { times: 3, forMs: 1 }
    const old = await layer.startWorker({ tasks: [add], leaveToOthers })
    const result = await client.send(echo, { text: 'hello' })
    await expect(result.get()).rejects.toThrow(
      'UnknownTask: no task of this worker is called "echo"; it has add; update the workers of the queue "default" and retry it',
    )
    // The time does not count for a retry, not even for one that counts its tries anew.
    const fields = await client.redis.hkeys(`${layer.prefix}:default:${result.id}`)
    expect(fields.filter((field) => field.startsWith('left'))).toEqual([])
    await old.close()
    await layer.startWorker({ tasks: [add, echo], leaveToOthers })
    expect(await retried(client, result)).toBe('hello')
  })

  it('is left to others for a time, however many workers look at it meanwhile', async () => {
    const client = await layer.openClient()
    const leaveToOthers = { times: 600_000, forMs: 1 }
    const said: string[] = []
    const silent = () => {}
    const log = { debug: silent, info: silent, error: silent, warn: (_: object, text: string) => void said.push(text) }
    const settings = { tasks: [add], leaveToOthers, log }
    const old = await Promise.all(['a', 'b'].map((name) => layer.startWorker({ ...settings, name })))
    const result = await client.send(echo, { text: 'hello' })
    const job = async () => await client.queue('default').getJob(result.id)
    await until(async () => ((await job())?.attemptsStarted ?? 0) > 30)
    await layer.startWorker({ tasks: [add, echo], name: 'new' })
    expect(await result.get()).toBe('hello')
    expect(old.map((worker) => worker.stats().failed)).toEqual([0, 0])
    // Not with each look.
    expect(said).toEqual([expect.stringMatching(/^no task of this worker is called "echo"; .*; left to others$/)])
  })

  it('for a newer version of a task is not run by an older one', async () => {
    const newer = { ...add, version: 2 }
    const client = await layer.openClient()
    const worker = await layer.startWorker({ tasks: [add], leaveToOthers: { times: 2, forMs: 1 } })
    const result = await client.send(newer, { a: 1, b: 2 })
    await expect(result.get()).rejects.toThrow(
      'UnknownTask: this worker has version 1 of "add", the message is for version 2',
    )
    await worker.close()
    await layer.startWorker({ tasks: [newer] })
    expect(await retried(client, result)).toBe(3)
  })

  it('of an older version runs, if it matches', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [{ ...add, version: 2 }] })
    expect(await (await client.send(add, { a: 1, b: 2 })).get()).toBe(3)
  })
})

describeRedis('a worker', () => {
  it('runs as many tasks at once as it has places, even after their number has changed', async () => {
    const client = await layer.openClient()
    const tasks = gate()
    const worker = await layer.startWorker({ tasks: [tasks.task], concurrency: 2 })
    const sent = await client.sendMany(
      tasks.task,
      Array.from({ length: 12 }, () => ({})),
    )
    await until(() => tasks.now === 2)
    worker.concurrency = 5
    await until(() => tasks.now === 5)
    expect(worker.active()).toHaveLength(5)
    tasks.open()
    await gather(sent)
    expect(tasks).toMatchObject({ begun: 12, most: 5, now: 0 })
  })

  it('wraps its tasks in its middleware, the first outermost', async () => {
    const seen: string[] = []
    const trace =
      (name: string): Middleware =>
      async (call, next) => {
        seen.push(`${name} before ${call.task.name} ${call.isLastTry}`)
        const result = await next()
        seen.push(`${name} after ${result}`)
        return result
      }
    const double: Middleware = async (call, next) => {
      const { a, b } = call.args as { a: number; b: number }
      call.args = { a: 2 * a, b: 2 * b }
      return `${await next()}!`
    }
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [add], middleware: [trace('outer'), double, trace('inner')] })
    expect(await (await client.send(add, { a: 1, b: 2 })).get()).toBe('6!')
    expect(seen).toEqual(['outer before add true', 'inner before add true', 'inner after 6', 'outer after 6!'])
  })

  it('finishes what it runs before it stops, and takes nothing more', async () => {
    const client = await layer.openClient()
    const tasks = gate()
    const worker = await layer.startWorker({ tasks: [tasks.task], concurrency: 1 })
    const [first, second] = await client.sendMany(tasks.task, [{}, {}])
    await until(() => tasks.now === 1)
    const closing = worker.close()
    tasks.open()
    await closing
    expect(await first?.get()).toBe('done')
    expect([tasks.begun, await second?.state()]).toEqual([1, 'waiting'])
  })

  it('gives back what it does not finish in time, and another one runs it', async () => {
    const client = await layer.openClient()
    const [stuck, free] = [gate(), gate()]
    free.open()
    const worker = await layer.startWorker({ tasks: [stuck.task] })
    const result = await client.send(stuck.task, {})
    await until(() => stuck.now === 1)
    await worker.close({ graceMs: 1 })
    expect(await result.state()).toBe('waiting')
    await layer.startWorker({ tasks: [free.task] })
    expect(await result.get()).toBe('done')
    expect([stuck.begun, free.begun]).toEqual([1, 1])
  })

  it('gives back a task, or lets it be revoked, even if it throws when its signal is aborted', async () => {
    const client = await layer.openClient()
    let begun = 0
    const listening = defineTask({
      name: 'listening',
      args: z.object({}),
      run: (_, { signal }) => {
        begun++
        return new Promise<void>((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('it was interrupted')))
        })
      },
    })
    const worker = await layer.startWorker({ tasks: [listening] })
    const [revoked, free] = await client.sendMany(listening, [{}, {}])
    if (!revoked || !free) throw new Error('nothing was sent')
    await until(() => begun === 2)
    await revoke(client, [revoked], { terminate: true })
    await expect(revoked.get()).rejects.toThrow('TaskRevoked: the task was revoked while it ran')
    await worker.close({ graceMs: 1 })
    expect(await free.state()).toBe('waiting')
  })

  /** A task whose runs each wait until the test ends them. */
  function separate() {
    const runs: PromiseWithResolvers<string>[] = []
    const run = () => {
      const ends = Promise.withResolvers<string>()
      runs.push(ends)
      return ends.promise
    }
    return { runs, task: defineTask({ name: 'separate', args: z.object({}), run }) }
  }

  it('tells apart two runs of a task that has lost its lock', async () => {
    const client = await layer.openClient()
    const { runs, task } = separate()
    const worker = await layer.startWorker({ tasks: [task] })
    const result = await client.send(task, {})
    await until(() => runs.length === 1)
    await client.redis.del(`${layer.prefix}:default:${result.id}:lock`)
    layer.use(findsLost(client))
    await until(() => runs.length === 2, { timeoutMs: 60_000 })
    expect(worker.stats().running).toBe(2)
    runs[0]?.resolve('lost')
    await until(() => worker.stats().running === 1)
    await revoke(client, [result], { terminate: true })
    await expect(result.get()).rejects.toThrow('TaskRevoked')
  })

  it('fails a task that has lost its worker too often', async () => {
    const client = await layer.openClient()
    const { runs, task } = separate()
    await layer.startWorker({ tasks: [task], lockMs: 1_000, maxRedeliveries: 0 })
    const result = await client.send(task, {})
    await until(() => runs.length === 1)
    await client.redis.del(`${layer.prefix}:default:${result.id}:lock`)
    await expect(result.get()).rejects.toThrow('job stalled more than allowable limit')
    expect(runs).toHaveLength(1)
    runs[0]?.resolve('lost')
  })

  it('does not wait for the end of its grace time', async () => {
    const worker = await layer.startWorker({ tasks: [add] })
    using begun = vi.spyOn(globalThis, 'setTimeout')
    using ended = vi.spyOn(globalThis, 'clearTimeout')
    await worker.close({ graceMs: 3_600_000 })
    const timer = begun.mock.results[begun.mock.calls.findIndex(([, ms]) => ms === 3_600_000)]?.value
    expect(timer).toBeDefined()
    // It would keep the process running.
    expect(ended.mock.calls.flat()).toContain(timer)
  })

  it('closes its connections in the end, even if it could not start', async () => {
    const client = await layer.openClient()
    const connections = async () => String(await client.redis.client('LIST')).match(/(?<=^id=)\d+/gm) ?? []
    const note = defineTask({ name: 'note', args: z.object({}), run: async (_, { redis }) => await redis.ping() })
    await layer.startWorker({ tasks: [note] })
    // Afterwards the client has opened all that it needs.
    await (await client.send(note, {})).get()
    const before = new Set(await connections())
    const noneLeft = () => until(async () => (await connections()).every((id) => before.has(id)))

    const worker = await layer.startWorker({ tasks: [note], queues: ['other'] })
    await (await client.send(note, {}, { queue: 'other' })).get()
    await worker.close()
    await noneLeft()

    await client.redis.call('ACL', 'SETUSER', 'deaf', 'on', '>secret', '~*', '&*', '+@all', '-subscribe')
    const url = Object.assign(new URL(layer.redis.url), { username: 'deaf', password: 'secret' }).href
    await expect(layer.startWorker({ url, tasks: [note] })).rejects.toThrow('NOPERM')
    await noneLeft()
  })

  it('refuses tasks that it cannot run', async () => {
    await expect(layer.startWorker({ tasks: [add, add] })).rejects.toThrow('two tasks are called "add"')
    const { run: _run, ...declared } = add
    await expect(layer.startWorker({ tasks: [declared] })).rejects.toThrow('task "add" has no run')
  })
})

describeRedis('a worker process that is killed', () => {
  it('loses no task: another worker runs what it had begun', async () => {
    const client = await layer.openClient()
    const program = new URL('../fixtures/stubborn.program.ts', import.meta.url)
    const env = { REDIS_URL: layer.redis.url, PREFIX: layer.prefix }
    const first = layer.use(await startProgram(program, { env }))
    const sent = await client.sendMany(gate('stubborn').task, [{}, {}, {}])
    await until(async () => (await client.queue('default').getActiveCount()) === 3, { timeoutMs: 30_000 })
    const gone = once(first.process, 'exit')
    first.process.kill('SIGKILL')
    await gone
    const free = gate('stubborn')
    free.open()
    await layer.startWorker({ tasks: [free.task] })
    layer.use(findsLost(client))
    expect(await gather(sent, { timeoutMs: 60_000 })).toEqual(['done', 'done', 'done'])
    expect(free.begun).toBe(3)
  })
})
