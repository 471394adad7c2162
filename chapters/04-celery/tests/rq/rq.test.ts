/** The smallest reliable queue, on a real Redis. */
import { randomUUID } from 'node:crypto'
import { until } from '@repo/common/async/until'
import { startProxy } from '@repo/common/servers/proxy'
import { findRedisServer, installRedis, type RedisServer, startRedis } from '@repo/common/servers/redis'
import { describeReal } from '@repo/common/testing/vitest'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { connectCelery } from '../../src/celery/client.ts'
import { clearCelery } from '../../src/celery/worker.ts'
import type { ServeOptions } from '../../src/rq/claims.ts'
import { functions as workerFunctions } from '../../src/rq/functions.ts'
import { type Functions, mostBytes, openQueue, type Queue, remote, work } from '../../src/rq/rq.ts'
import { startWorker } from '../../src/rq/workers.ts'
import { jsonValue } from '../fixtures/json-value.ts'

const need = {
  name: 'a Redis server',
  found: process.env.REDIS_URL ?? (await findRedisServer()),
  install: installRedis,
}
/** For tests in which a worker is taken for dead. In the others none is, also where this process gets no processor for a while. */
const leaseMs = 1_000
const longLeaseMs = 60_000
const patient = { timeoutMs: 60_000 }

describeReal('the smallest reliable queue', need, () => {
  let server: RedisServer
  let redis: Redis
  beforeAll(async () => {
    server = await startRedis()
    redis = new Redis(server.url)
  })
  afterAll(async () => {
    redis.disconnect()
    await server[Symbol.asyncDispose]()
  })

  /** A queue of the test's own, and workers of it in this process; all are gone at the end of the block. */
  async function queueWith<F extends Functions>(functions: F) {
    const name = randomUUID()
    const queue = await openQueue(server.url, name, functions)
    const stops: (() => Promise<void>)[] = []
    return {
      name,
      queue,
      key: (suffix: string) => `rq:${name}:${suffix}`,
      startWork(options: Partial<ServeOptions> & { url?: string } = {}) {
        const stop = new AbortController()
        const { promise: ready, resolve } = Promise.withResolvers<void>()
        const worked = work(options.url ?? server.url, name, functions, {
          leaseMs: longLeaseMs,
          concurrency: 4,
          onReady: resolve,
          signal: stop.signal,
          ...options,
        })
        const end = async () => {
          stop.abort()
          await worked
        }
        stops.push(end)
        return { stop: end, ready: Promise.race([ready, worked]) }
      },
      async [Symbol.asyncDispose]() {
        await Promise.all(stops.map((stop) => stop()))
        queue[Symbol.dispose]()
      },
    }
  }

  const add = remote(z.tuple([z.number(), z.number()]), (a, b) => a + b)

  /** Hands in a nap, and again where it is over before anybody has seen that a worker has begun it. */
  async function begunNap(queue: Queue<typeof workerFunctions>): Promise<string> {
    const id = await queue.enqueue('nap', 2_000)
    const status = await until(async () => {
      const job = await queue.job(id)
      return job?.status !== 'queued' && job?.status
    }, patient)
    return status === 'started' ? id : await begunNap(queue)
  }

  describe('a job', () => {
    it('is queued, started and finished, with its times and its result', async () => {
      const gate = Promise.withResolvers<string>()
      await using test = await queueWith({
        wait: remote(z.tuple([z.string()]), async (text) => text + (await gate.promise)),
      })
      const id = await test.queue.enqueue('wait', 'a')
      expect(await test.queue.job(id)).toMatchObject({ id, name: 'wait', status: 'queued', attempts: 0 })
      expect(await test.queue.counts()).toEqual({ waiting: 1, active: 0, failed: 0, workers: 0 })
      test.startWork()
      await until(async () => (await test.queue.job(id))?.status === 'started', patient)
      expect(await test.queue.counts()).toEqual({ waiting: 0, active: 1, failed: 0, workers: 1 })
      await expect(test.queue.result(id, { timeoutMs: 50 })).rejects.toThrow('wait was still started after 0.05 s')
      await expect(test.queue.result(id, { timeoutMs: Number.NaN })).rejects.toThrow('timeoutMs: received NaN; accepts')
      await expect(test.queue.result(id, { everyMs: -1 })).rejects.toThrow('everyMs: received -1; accepts')
      gate.resolve('b')
      expect(await test.queue.result(id, { timeoutMs: Number.POSITIVE_INFINITY })).toBe('ab')
      const { enqueuedAt, startedAt = 0, endedAt = 0, ...job } = (await test.queue.job(id)) ?? { enqueuedAt: 0 }
      expect(job).toEqual({
        id,
        name: 'wait',
        status: 'finished',
        attempts: 1,
        result: 'ab',
        error: undefined,
        stack: undefined,
      })
      expect(enqueuedAt).toBeGreaterThan(1_700_000_000_000)
      expect(startedAt).toBeGreaterThanOrEqual(enqueuedAt)
      expect(endedAt).toBeGreaterThanOrEqual(startedAt)
      expect(await test.queue.counts()).toEqual({ waiting: 0, active: 0, failed: 0, workers: 1 })
      // A result expires; without that Redis would fill up.
      expect(await redis.pttl(test.key(`job:${id}`))).toBeGreaterThan(400_000)
    })

    it('has as its result what its function returned, for any JSON values', async () => {
      await using test = await queueWith({ same: remote(z.tuple([z.json()]), (value) => value) })
      test.startWork()
      await fc.assert(
        fc.asyncProperty(jsonValue, async (value) => {
          const id = await test.queue.enqueue('same', value as never)
          expect(await test.queue.result(id, { everyMs: 1 })).toEqual(value)
        }),
        { numRuns: 50 },
      )
    })

    it('that fails is in the failed list with its error and stack, and can be put back', async () => {
      let broken = true
      const flaky = remote(z.tuple([]), () => {
        if (broken) throw new RangeError('broken')
        return 'mended'
      })
      await using test = await queueWith({ flaky, add })
      test.startWork()
      const id = await test.queue.enqueue('flaky')
      await expect(test.queue.result(id)).rejects.toThrow('flaky failed: broken')
      expect((await test.queue.job(id))?.stack).toMatch(/RangeError: broken\n.*rq\.test\.ts/)
      expect(await test.queue.failed()).toEqual([id])
      expect(await test.queue.result(await test.queue.enqueue('add', 2, 3))).toBe(5)

      broken = false
      expect(await test.queue.requeue(id)).toBe(true)
      expect(await test.queue.result(id)).toBe('mended')
      expect(await test.queue.failed()).toEqual([])
      expect(await test.queue.job(id)).toMatchObject({ status: 'finished', attempts: 1 })
      expect(await test.queue.requeue(id)).toBe(false)
      await test.queue.forget(id)
      expect(await test.queue.job(id)).toBeUndefined()
      await expect(test.queue.result(id)).rejects.toThrow('there is no job')
    })

    it('of many is run once each by several workers, and the jobs of one worker begin in their order', async () => {
      const ran: number[] = []
      await using test = await queueWith({ note: remote(z.tuple([z.number()]), (n) => ran.push(n)) })
      const numbers = Array.from({ length: 500 }, (_, at) => at)
      const ids = await Promise.all(numbers.map((n) => test.queue.enqueue('note', n)))
      const first = test.startWork({ concurrency: 1 })
      await until(() => ran.length >= 100, patient)
      await first.stop()
      expect(ran).toEqual(numbers.slice(0, ran.length))
      for (let at = 0; at < 3; at++) test.startWork({ concurrency: 10 })
      await Promise.all(ids.map((id) => test.queue.result(id, patient)))
      expect(ran.toSorted((a, b) => a - b)).toEqual(numbers)
    })

    it('whose function throws anything at all has failed, at its first attempt, with what was thrown', async () => {
      const strange = Object.assign(new Error('strange'), { message: { code: 42 } })
      const thrown: [unknown, string][] = [
        [null, 'null'],
        [undefined, 'undefined'],
        ['text', 'text'],
        [Object.create(null), '[Object: null prototype] {}'],
        [strange, '{ code: 42 }'],
        [new Error('x'.repeat(5_000_000)), 'x'.repeat(2_000)],
      ]
      const raise = remote(z.tuple([z.int()]), (at) => {
        throw thrown[at]?.[0]
      })
      await using test = await queueWith({ raise })
      test.startWork()
      const ids = await Promise.all(thrown.map((_, at) => test.queue.enqueue('raise', at)))
      await until(async () => (await test.queue.failed()).length === thrown.length, patient)
      const jobs = await Promise.all(ids.map((id) => test.queue.job(id)))
      expect(jobs.map((job) => job?.error)).toEqual(thrown.map(([, message]) => message))
      expect(jobs.map((job) => job?.attempts)).toEqual(thrown.map(() => 1))
      expect(await test.queue.counts()).toMatchObject({ waiting: 0, active: 0 })
    })

    it('whose value JSON would change is refused, and says which', async () => {
      const values = [Number.NaN, { at: [Number.NEGATIVE_INFINITY] }, new Map([[1, 2]]), [undefined]]
      const give = remote(z.tuple([z.int()]), (at) => values[at])
      const square = remote(z.tuple([z.number()]), (n) => n * n)
      const any = remote(z.tuple([z.any()]), (value) => value)
      await using test = await queueWith({ give, square, any })
      test.startWork()
      const ids = await Promise.all(values.map((_, at) => test.queue.enqueue('give', at)))
      const errors = await Promise.all(ids.map((id) => test.queue.result(id).catch((error: Error) => error.message)))
      expect(errors).toEqual([
        'give failed: the result: received NaN; accepts what JSON can carry',
        'give failed: the result: received -Infinity at 0; accepts what JSON can carry',
        'give failed: the result: received a Map; accepts what JSON can carry',
        'give failed: the result: received undefined in a list at 0; accepts what JSON can carry',
      ])
      await expect(test.queue.enqueue('any', Number.NaN)).rejects.toThrow('the arguments of any: received NaN at 0')
      // What another language calls an integer is no number here.
      const foreign = randomUUID()
      await redis.hset(test.key(`job:${foreign}`), { name: 'square', args: '[9007199254740993]', status: 'queued' })
      await redis.lpush(test.key('waiting'), foreign)
      await expect(test.queue.result(foreign, patient)).rejects.toThrow('expected number, received bigint')
      expect(await test.queue.result(await test.queue.enqueue('any', [2 ** 60, -0, 1e300]))).toEqual([
        2 ** 60,
        -0,
        1e300,
      ])
    })

    it('with large arguments is waited for without reading them again and again', async () => {
      const gate = Promise.withResolvers<number>()
      await using test = await queueWith({ measure: remote(z.tuple([z.string()]), () => gate.promise) })
      test.startWork()
      const id = await test.queue.enqueue('measure', 'x'.repeat(500_000))
      await until(async () => (await test.queue.job(id))?.status === 'started', patient)
      const sent = async () => Number(/total_net_output_bytes:(\d+)/.exec(await redis.info('stats'))?.[1])
      const before = await sent()
      const got = test.queue.result(id, { everyMs: 1, ...patient })
      const asked = async () => Number(/cmdstat_hmget:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1])
      const first = await asked()
      await until(async () => (await asked()) > first + 20, patient)
      gate.resolve(1)
      await got
      expect((await sent()) - before).toBeLessThan(500_000)
    })

    it('without a result ends with null, and one that JSON cannot carry fails', async () => {
      const give = remote(z.tuple([z.boolean()]), (big) => (big ? 1n : undefined))
      const long = remote(z.tuple([]), () => 'x'.repeat(mostBytes))
      await using test = await queueWith({ give, long })
      test.startWork()
      expect(await test.queue.result(await test.queue.enqueue('give', false))).toBeNull()
      await expect(test.queue.result(await test.queue.enqueue('give', true))).rejects.toThrow(/give failed: .*BigInt/)
      await expect(test.queue.result(await test.queue.enqueue('long'))).rejects.toThrow(
        'the result: 1000002 bytes; at most 1000000',
      )
    })
  })

  describe('when a worker', () => {
    it('is killed in mid-job, the job is run again once and has one result', async () => {
      await using test = await queueWith(workerFunctions)
      const id = await test.queue.enqueue('nap', 60_000)
      await using victim = await startWorker(server.url, test.name, { leaseMs })
      await until(async () => (await test.queue.job(id))?.status === 'started', patient)
      const [name] = await redis.zrange(test.key('workers'), '0', '-1')
      await victim.kill()
      expect(await redis.lrange(test.key(`active:${name}`), 0, -1)).toEqual([id])
      // It did not end before its worker. The second time it need not take so long.
      await redis.hset(test.key(`job:${id}`), 'args', '[1]')
      await using second = await startWorker(server.url, test.name, { leaseMs })
      expect(await test.queue.result(id, patient)).toBe(1)
      expect(await test.queue.job(id)).toMatchObject({ status: 'finished', attempts: 2 })
      expect(await test.queue.counts()).toMatchObject({ waiting: 0, active: 0, failed: 0 })
      // The other one lives on and takes the next.
      expect(await test.queue.result(await test.queue.enqueue('add', 1, 1), patient)).toBe(2)
      expect((await second.stop()).code).toBe(0)
    })

    it('is stopped, it finishes the job it has and leaves the others', async () => {
      await using test = await queueWith(workerFunctions)
      await using worker = await startWorker(server.url, test.name, { stopTimeoutMs: 60_000 })
      const first = await begunNap(test.queue)
      const second = await test.queue.enqueue('add', 1, 2)
      expect(await worker.stop()).toEqual({ code: 0, signal: null })
      expect(await test.queue.job(first)).toMatchObject({ status: 'finished', result: 2_000 })
      expect(await test.queue.job(second)).toMatchObject({ status: 'queued', attempts: 0 })
      expect(await redis.exists(test.key('workers'))).toBe(0)
    })

    it('is taken for dead but comes back, its late result is not taken', async () => {
      const ends = [Promise.withResolvers<string>(), Promise.withResolvers<string>()]
      let runs = 0
      await using test = await queueWith({ slow: remote(z.tuple([]), () => ends[runs++]?.promise) })
      await using proxy = await startProxy({ port: server.port, host: server.host })
      const url = server.url.replace(`:${server.port}`, `:${proxy.port}`)
      const cutOff = test.startWork({ url, leaseMs, concurrency: 1 })
      await cutOff.ready
      const id = await test.queue.enqueue('slow')
      await until(() => runs === 1, patient)
      // The cable is pulled: it cannot say that it lives.
      proxy.block()
      const other = test.startWork({ leaseMs, concurrency: 1 })
      await until(() => runs === 2, patient)
      ends[1]?.resolve('of the second')
      expect(await test.queue.result(id, patient)).toBe('of the second')
      proxy.heal()
      ends[0]?.resolve('of the first, too late')
      await cutOff.stop()
      expect(await test.queue.result(id, patient)).toBe('of the second')
      await other.stop()
    })

    it('is taken for dead and then claims its own job back, the job goes on and ends', async () => {
      const gate = Promise.withResolvers<string>()
      let runs = 0
      const slow = remote(z.tuple([]), () => {
        runs++
        return gate.promise
      })
      await using test = await queueWith({ slow, add })
      test.startWork({ concurrency: 2 })
      const id = await test.queue.enqueue('slow')
      await until(() => runs === 1, patient)
      const [name] = await redis.zrange(test.key('workers'), '0', '-1')
      // What another worker's heartbeat would do.
      await redis.lmove(test.key(`active:${name}`), test.key('waiting'), 'LEFT', 'RIGHT')
      await until(async () => (await test.queue.counts()).waiting === 0, patient)
      // Claimed after it: by now the worker has dealt with its own.
      expect(await test.queue.result(await test.queue.enqueue('add', 1, 2), patient)).toBe(3)
      gate.resolve('of the only run')
      expect(await test.queue.result(id, patient)).toBe('of the only run')
      expect(await test.queue.job(id)).toMatchObject({ attempts: 1 })
      expect(await test.queue.counts()).toMatchObject({ waiting: 0, active: 0 })
      expect(runs).toBe(1)
    })

    it('promises a heartbeat less often than the others, they leave its jobs alone', async () => {
      const ends = Promise.withResolvers<string>()
      await using test = await queueWith({ slow: remote(z.tuple([]), () => ends.promise) })
      test.startWork({ leaseMs: 600_000, concurrency: 1 })
      const id = await test.queue.enqueue('slow')
      await until(async () => (await test.queue.job(id))?.status === 'started', patient)
      const [patientOne] = await redis.zrange(test.key('workers'), '0', '-1')
      await test.startWork({ leaseMs: 100 }).ready
      const [hastyOne = ''] = (await redis.zrange(test.key('workers'), '0', '-1')).filter((name) => name !== patientOne)
      const firstBeat = await redis.zscore(test.key('workers'), hastyOne)
      await until(async () => (await redis.zscore(test.key('workers'), hastyOne)) !== firstBeat, patient)
      expect(await test.queue.counts()).toMatchObject({ waiting: 0, active: 1 })
      ends.resolve('once')
      expect(await test.queue.result(id, patient)).toBe('once')
      expect(await test.queue.job(id)).toMatchObject({ attempts: 1 })
    })

    it('dies of a job each time, the job is given up after three of them', async () => {
      await using test = await queueWith({ add })
      const id = await test.queue.enqueue('add', 1, 2)
      await redis.hset(test.key(`job:${id}`), 'attempts', 3)
      test.startWork()
      await expect(test.queue.result(id)).rejects.toThrow('add failed: 3 workers died running it')
    })
  })

  describe('when the connection', () => {
    it('is lost for good, a worker that is stopped ends, also one whose job cannot hand in its result', async () => {
      const gate = Promise.withResolvers<string>()
      await using test = await queueWith({ slow: remote(z.tuple([]), () => gate.promise) })
      const proxy = await startProxy({ port: server.port, host: server.host })
      const url = server.url.replace(`:${server.port}`, `:${proxy.port}`)
      let errors = 0
      const options = { url, leaseMs: 500, concurrency: 1, onError: () => errors++ }
      const [idle, busy] = [test.startWork(options), test.startWork(options)]
      await Promise.all([idle.ready, busy.ready])
      const id = await test.queue.enqueue('slow')
      await until(async () => (await test.queue.job(id))?.status === 'started', patient)
      await proxy[Symbol.asyncDispose]()
      gate.resolve('for nobody')
      // There is one every 0.1 s: meanwhile both have begun a heartbeat that never ends.
      await until(() => errors > 20, patient)
      await Promise.all([idle.stop(), busy.stop()])
      expect(await test.queue.job(id)).toMatchObject({ status: 'started' })
    })

    it('is lost for good, a client says so when its time is over', async () => {
      const proxy = await startProxy({ port: server.port, host: server.host })
      using queue = await openQueue(server.url.replace(`:${server.port}`, `:${proxy.port}`), randomUUID(), { add })
      await proxy[Symbol.asyncDispose]()
      await expect(queue.result('1', { timeoutMs: 50 })).rejects.toThrow('the job 1 was unknown after 0.05 s')
      const signal = AbortSignal.abort()
      await expect(queue.result('1', { signal })).rejects.toThrow('aborted')
    })

    it('is cut at any moment, every job is done and has one result', async () => {
      await using proxy = await startProxy({ port: server.port, host: server.host })
      await using test = await queueWith({ add })
      test.startWork({ url: server.url.replace(`:${server.port}`, `:${proxy.port}`), leaseMs, concurrency: 8 })
      const ids: string[] = []
      for (let round = 0; round < 5; round++) {
        ids.push(...(await Promise.all(Array.from({ length: 100 }, (_, at) => test.queue.enqueue('add', at, round)))))
        await until(async () => (await test.queue.job(ids.at(-70) as string))?.status === 'finished', patient)
        proxy.cut()
      }
      const results = await Promise.all(ids.map((id) => test.queue.result(id, patient)))
      expect(results).toEqual(ids.map((_, at) => (at % 100) + Math.floor(at / 100)))
      await until(async () => (await test.queue.counts()).active === 0, patient)
    })

    it('to a Redis that is restarted comes back, the jobs handed in before are done, also the one that ran', async () => {
      await using own = await startRedis({ appendOnly: true, own: true })
      using queue = await openQueue(own.url, 'restarted', workerFunctions)
      await using worker = await startWorker(own.url, 'restarted', { leaseMs })
      const running = await begunNap(queue)
      const waiting = await queue.enqueue('add', 1, 2)
      await own.server?.kill()
      await own.restart()
      expect(await queue.result(running, patient)).toBe(2_000)
      expect(await queue.result(waiting, patient)).toBe(3)
      expect(await queue.result(await queue.enqueue('add', 2, 2), patient)).toBe(4)
      expect((await worker.stop()).code).toBe(0)
    })

    it('is to a replica, client and worker say what is wrong', async () => {
      await using own = await startRedis({ own: true })
      using queue = await openQueue(own.url, 'q', { add })
      using client = Object.assign(new Redis(own.url), { [Symbol.dispose]: () => client.disconnect() })
      await client.replicaof('127.0.0.1', 1)
      const said = /^Redis at redis:\/\/:\*\*\*@\S+ is a read-only replica: /
      await expect(queue.enqueue('add', 1, 2)).rejects.toThrow(said)
      await expect(queue.requeue('id')).rejects.toThrow(said)
      await expect(queue.forget('id')).rejects.toThrow(said)
      await expect(work(own.url, 'q', { add }, { signal: new AbortController().signal })).rejects.toThrow(said)
      await using celery = await connectCelery(own.url)
      await expect(celery.send({ task: 'add', queue: 'q' })).rejects.toThrow(said)
      await expect(clearCelery(own.url, 'q')).rejects.toThrow(said)
    })

    it('is to a Redis that is full when a job is begun, the job has not failed, and is begun when there is room', async () => {
      await using own = await startRedis({ own: true })
      using client = Object.assign(new Redis(own.url), { [Symbol.dispose]: () => client.disconnect() })
      let calls = 0
      const succeedsLater = () => {
        if (++calls === 1) throw new Error('the first time')
        return calls
      }
      const functions = { succeedsLater: remote(z.tuple([]), succeedsLater) }
      using queue = await openQueue(own.url, 'q', functions)
      const stop = new AbortController()
      const errors: string[] = []
      const onError = ({ message }: Error) => errors.push(message)
      const worked = work(own.url, 'q', functions, { leaseMs, signal: stop.signal, onError })
      const id = await queue.enqueue('succeedsLater')
      await expect(queue.result(id, patient)).rejects.toThrow('the first time')
      await client.config('SET', 'maxmemory', '1')
      // A script that has begun to remove things may write.
      await until(() => queue.requeue(id), patient)
      await until(() => errors.length > 0, patient)
      await client.config('SET', 'maxmemory', '0')
      expect(errors[0]).toMatch(/^Redis at .* is full/)
      expect(await queue.result(id, patient)).toBe(2)
      stop.abort()
      await worked
    })

    it('is refused for a wrong password, client and worker say so in one line', async () => {
      const wrong = server.url.replace(/:[^:@]*@/, ':wrong@')
      const said = /^Redis at redis:\/\/:\*\*\*@127\.0\.0\.1:\d+ cannot be used$/
      await expect(openQueue(wrong, 'q', { add })).rejects.toThrow(said)
      await expect(openQueue(wrong, 'q', { add })).rejects.toMatchObject({
        cause: { message: expect.stringMatching(/WRONGPASS/) },
      })
      await expect(work(wrong, 'q', { add }, { signal: new AbortController().signal })).rejects.toThrow(said)
      await expect(startWorker(wrong, 'q')).rejects.toThrow(/worker\.program.*ended with code 1[\s\S]*WRONGPASS/)
    })
  })

  describe('a message that nobody should have sent', () => {
    const called: unknown[] = []
    const note = remote(z.tuple([z.string()]), (text) => called.push(text))

    it.each([
      ['an unknown function', { name: 'rm', args: '["-rf"]' }, 'no function "rm" is registered'],
      [
        'a name every object inherits',
        { name: 'constructor', args: '["return process"]' },
        'no function "constructor" is registered',
      ],
      ['the name __proto__', { name: '__proto__', args: '["x"]' }, 'no function "__proto__" is registered'],
      [
        'arguments of a wrong type',
        { name: 'note', args: '[{"a":1}]' },
        'note: ✖ Invalid input: expected string, received object',
      ],
      ['too many arguments', { name: 'note', args: '["a","b"]' }, 'note: ✖ Too big'],
      ['arguments that are no list', { name: 'note', args: '{"length":1}' }, 'note: ✖ Invalid input: expected tuple'],
      [
        'arguments with __proto__',
        { name: 'note', args: '[{"__proto__":{"polluted":1}}]' },
        'note: ✖ Invalid input: expected string',
      ],
      ['arguments that are no JSON', { name: 'note', args: '["a"' }, 'JSON'],
      ['no arguments at all', { name: 'note' }, 'its arguments are missing'],
      [
        'arguments of 10 MB',
        { name: 'note', args: JSON.stringify(['x'.repeat(10_000_000)]) },
        'or more than 1000000 bytes',
      ],
      ['no name', { args: '[]' }, 'no function "" is registered'],
      ['attempts that are no number', { name: 'note', args: '["a"]', attempts: 'abc' }, 'not an integer'],
      ['lists in lists, 100,000 deep', { name: 'any', args: '['.repeat(100_000) + ']'.repeat(100_000) }, 'call stack'],
      ['no record', {}, 'there is no record of this job'],
      ['a record of another type', 'text', 'there is no record of this job'],
    ])('%s: fails with a clear reason, runs nothing, harms no other', async (_what, fields, reason) => {
      await using test = await queueWith({ note, add, any: remote(z.tuple([z.json()]), (value) => called.push(value)) })
      const id = randomUUID()
      if (typeof fields === 'string') await redis.set(test.key(`job:${id}`), fields)
      else if (Object.keys(fields).length > 0) await redis.hset(test.key(`job:${id}`), { ...fields, status: 'queued' })
      await redis.lpush(test.key('waiting'), id)
      test.startWork()
      await until(async () => (await test.queue.failed()).length === 1, patient)
      expect((await test.queue.job(id))?.error).toContain(reason)
      expect(await test.queue.failed()).toEqual([id])
      expect(await test.queue.result(await test.queue.enqueue('add', 1, 2))).toBe(3)
      expect(called).toEqual([])
      expect(Object.keys(Object.prototype)).toEqual([])
    })

    it('an id that stands in the list twice: is run once', async () => {
      const ran: string[] = []
      await using test = await queueWith({ note: remote(z.tuple([z.string()]), (text) => ran.push(text)), add })
      const id = await test.queue.enqueue('note', 'a')
      await redis.lpush(test.key('waiting'), id, id)
      test.startWork({ leaseMs })
      expect(await test.queue.result(id)).toBe(1)
      await until(async () => (await test.queue.counts()).waiting === 0, patient)
      expect(await test.queue.result(await test.queue.enqueue('add', 1, 2))).toBe(3)
      await until(async () => (await test.queue.counts()).active === 0, patient)
      expect(ran).toEqual(['a'])
    })

    it('is not sent by our own client', async () => {
      await using test = await queueWith({ note })
      await expect(test.queue.enqueue('note', 1 as never)).rejects.toThrow(
        'note: ✖ Invalid input: expected string, received number',
      )
      const untyped = test.queue.enqueue as unknown as (name: string, ...args: unknown[]) => Promise<string>
      await expect(untyped('constructor', 'a')).rejects.toThrow('no function "constructor"')
      await expect(test.queue.enqueue('note', 'x'.repeat(mostBytes) as never)).rejects.toThrow('at most 1000000')
      expect(await test.queue.counts()).toMatchObject({ waiting: 0 })
    })
  })

  it.each([
    [{ leaseMs: Number.NaN }, 'leaseMs: received NaN; accepts milliseconds from 1 to 2147483647'],
    [{ leaseMs: Number.POSITIVE_INFINITY }, 'leaseMs: received Infinity; accepts'],
    [{ leaseMs: 0 }, 'leaseMs: received 0; accepts'],
    [{ concurrency: 0 }, 'concurrency: received 0; accepts a whole number from 1'],
    [{ concurrency: Number.NaN }, 'concurrency: received NaN; accepts'],
  ])('serves with %o: refused in one line', async (options, message) => {
    const { signal } = new AbortController()
    await expect(work(server.url, 'q', { add }, { signal, ...options })).rejects.toThrow(message)
  })

  it('clears what it has, and nothing of another queue', async () => {
    const name = randomUUID()
    using pattern = await openQueue(server.url, `${name}-[a-z]?*`, { add })
    using other = await openQueue(server.url, `${name}-abc`, { add })
    for (const queue of [pattern, other]) await queue.enqueue('add', 1, 2)
    await pattern.clear()
    expect([await pattern.counts(), await other.counts()]).toMatchObject([{ waiting: 0 }, { waiting: 1 }])
    await other.clear()
    expect(await redis.keys(`rq:${name}*`)).toEqual([])
  })

  it.each(['mail:high', ''])('of the name %j is refused', async (name) => {
    const said = `queue: received "${name}"; accepts a name without colons`
    await expect(openQueue(server.url, name, { add })).rejects.toThrow(said)
    const { signal } = new AbortController()
    await expect(work(server.url, name, { add }, { signal })).rejects.toThrow(said)
  })
})
