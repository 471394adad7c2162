/** A worker in TypeScript for Celery's messages, and a client; generations.test.ts has the real Celery. */
import { randomUUID } from 'node:crypto'
import { until } from '@repo/common/async/until'
import { startProxy } from '@repo/common/servers/proxy'
import { findRedisServer, installRedis, type RedisServer, startRedis } from '@repo/common/servers/redis'
import { describeReal } from '@repo/common/testing/vitest'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type AsyncResult, type CeleryClient, connectCelery } from '../../src/celery/client.ts'
import { startTypeScriptWorker } from '../../src/celery/programs.ts'
import { encodeMessage, mostBytes, resultKey } from '../../src/celery/protocol.ts'
import { celeryTasks } from '../../src/celery/tasks.ts'
import { type CeleryTask, celeryTask, serveCelery, workerKeys } from '../../src/celery/worker.ts'
import { redisAt } from '../fixtures/redis-at.ts'

const redisNeed = {
  name: 'a Redis server',
  found: process.env.REDIS_URL ?? (await findRedisServer()),
  install: installRedis,
}
/** Short enough to wait for, long enough for a machine that is busy with other tests. */
const leaseMs = 1_000
const patient = { timeoutMs: 60_000 }

describeReal('a worker in TypeScript', redisNeed, () => {
  let server: RedisServer
  let redis: Redis
  let client: CeleryClient
  beforeAll(async () => {
    server = await startRedis()
    redis = new Redis(server.url)
    client = await connectCelery(server.url)
  })
  afterAll(async () => {
    await client[Symbol.asyncDispose]()
    redis.disconnect()
    await server[Symbol.asyncDispose]()
  })

  /** A queue of the test's own and a worker of it in this process, which ends with the block. */
  function serving(tasks: Record<string, CeleryTask>, { queue = randomUUID(), concurrency = 4 } = {}) {
    const stop = new AbortController()
    const options = { concurrency, signal: stop.signal }
    const served = serveCelery(server.url, queue, tasks, options)
    return {
      queue,
      send: (task: string, args: unknown[] = [], more = {}) => client.send({ task, args, queue, ...more }),
      async [Symbol.asyncDispose]() {
        stop.abort()
        await served
      },
    }
  }

  it('returns results, errors with a traceback, and the states of its retries', async () => {
    await using worker = serving(celeryTasks)
    const squared = await worker.send('square', [12])
    expect(await squared.get()).toBe(144)
    expect(squared.states).toMatchObject([{ status: 'SUCCESS', result: 144, task_id: squared.id }])
    // Kept for a day, as Celery does.
    expect(await redis.ttl(resultKey(squared.id))).toBeGreaterThan(86_000)

    const unknown = await worker.send('rate', ['usd'], { kwargs: { to: 'atlantis' } })
    await expect(unknown.get()).rejects.toMatchObject({
      name: 'CeleryError',
      message: 'rate failed: Error: there is no currency "atlantis"',
      traceback: expect.stringMatching(/rates\.ts/),
    })
    const [flaky, hopeless] = await Promise.all([worker.send('flaky', [2]), worker.send('flaky', [10])])
    expect(await flaky.get(patient)).toBe('done at attempt 3')
    expect(flaky.states.map(({ status }) => status)).toEqual(['RETRY', 'RETRY', 'SUCCESS'])
    await expect(hopeless.get(patient)).rejects.toThrow('attempt 6 failed')
    expect(hopeless.states.map(({ status }) => status)).toEqual([...Array(5).fill('RETRY'), 'FAILURE'])
  })

  it('runs a task that throws anything at all once, and tells what it was', async () => {
    let runs = 0
    const strange = new Error('strange', { cause: 1 })
    Object.assign(strange, { message: { code: 42 } })
    const thrown: [unknown, string][] = [
      [null, 'null'],
      [undefined, 'undefined'],
      ['text', 'text'],
      [Object.create(null), '[Object: null prototype] {}'],
      [Symbol('s'), 'Symbol(s)'],
      [strange, '{ code: 42 }'],
      [new RangeError('x'.repeat(5_000_000)), 'x'.repeat(2_000)],
    ]
    const raise = celeryTask({
      args: z.tuple([z.int()]),
      run: ([at]) => {
        runs++
        throw thrown[at]?.[0]
      },
    })
    await using worker = serving({ raise })
    const results = await Promise.all(thrown.map((_, at) => worker.send('raise', [at])))
    const errors = await Promise.all(
      results.map((result) => result.get(patient).catch((error: Error) => error.message)),
    )
    expect(errors).toEqual(
      thrown.map(([, message], at) => `raise failed: ${at === 6 ? 'RangeError' : 'Error'}: ${message}`),
    )
    expect(runs).toBe(thrown.length)
    expect(await redis.strlen(resultKey(results.at(-1)?.id ?? ''))).toBeLessThan(15_000)
  })

  it('gives exactly what a task returned, or fails the task and says why', async () => {
    const values: unknown[] = [
      2n ** 64n + 1n,
      Number.NaN,
      [1, Number.POSITIVE_INFINITY],
      new Map(),
      'x'.repeat(mostBytes),
    ]
    const give = celeryTask({ args: z.tuple([z.int()]), maxRetries: 3, run: ([at]) => values[at] })
    const square = celeryTask({ args: z.tuple([z.bigint()]), run: ([n]) => n * n })
    await using worker = serving({ give, square })
    const given = await Promise.all(values.map((_, at) => worker.send('give', [at])))
    const [exact, ...wrong] = await Promise.all(
      given.map((each) => each.get(patient).catch((error: Error) => error.message)),
    )
    expect(exact).toBe(2n ** 64n + 1n)
    expect(wrong).toEqual([
      'give failed: TypeError: give: the result: received NaN at result; accepts what JSON can carry',
      'give failed: TypeError: give: the result: received Infinity at 1; accepts what JSON can carry',
      'give failed: TypeError: give: the result: received a Map at result; accepts what JSON can carry',
      expect.stringMatching(/^give failed: TypeError: give: the result: 1000\d\d\d bytes; at most 1000000$/),
    ])
    const large = 2n ** 53n + 1n
    expect(await (await worker.send('square', [large])).get(patient)).toBe(large * large)
  })

  it('keeps to the time before and after which a task may not run, and to its limits', async () => {
    const ranAt: number[] = []
    const note = celeryTask({ args: z.tuple([]), run: () => void ranAt.push(Date.now()) })
    await using worker = serving({ ...celeryTasks, note })
    const eta = Date.now() + 300
    await (await worker.send('note', [], { eta })).get(patient)
    expect(ranAt).toHaveLength(1)
    expect(ranAt[0]).toBeGreaterThanOrEqual(eta)
    await expect((await worker.send('note', [], { expires: Date.now() - 1 })).get()).rejects.toThrow(
      'TaskRevokedError: expired',
    )
    expect(ranAt).toHaveLength(1)
    const tooLong = await worker.send('nap', [30], { timelimit: [0.1, null] })
    await expect(tooLong.get(patient)).rejects.toThrow('TimeLimitExceeded: 0.1')
    const asked = await worker.send('nap', [30], { timelimit: [30, 0.1] })
    await expect(asked.get(patient)).rejects.toThrow('nap failed: AbortError')
    // Node's own timers fire at once when they are set to more than 25 days.
    const days = 24 * 3_600
    const unhurried = await worker.send('nap', [0.01], { timelimit: [30 * days, 29 * days] })
    expect(await unhurried.get({ timeoutMs: Number.POSITIVE_INFINITY })).toBeNull()
    await expect(unhurried.get({ timeoutMs: Number.NaN })).rejects.toThrow('timeoutMs: received NaN; accepts')
  })

  it('serves a queue by priority, and keeps to the countdown of the next task in a chain', async () => {
    const queue = randomUUID()
    const ran: number[] = []
    const note = celeryTask({ args: z.tuple([z.int()]), run: ([n]) => void ran.push(n) })
    for (const priority of [9, 3, 6, 0]) await client.send({ task: 'note', args: [priority], queue, priority })
    const last = await client.send({ task: 'note', args: [10], queue, priority: 9 })
    await using worker = serving({ note, square: celeryTasks.square }, { queue, concurrency: 1 })
    await last.get(patient)
    expect(ran).toEqual([0, 3, 6, 9, 10])

    const id = randomUUID()
    const next = { task: 'square', args: [], kwargs: {}, options: { task_id: id, countdown: 3_600 } }
    expect(await (await worker.send('square', [3], { chain: [next] })).get(patient)).toBe(9)
    const { scheduled } = workerKeys(queue)
    const dueAt = await until(
      async () => Number((await redis.zrange(scheduled, '0', '0', 'WITHSCORES'))[1]) || undefined,
      patient,
    )
    expect(dueAt).toBeGreaterThan(Date.now() + 3_500_000)
    // What comes into a lower list while the worker waits is found as well.
    expect(await (await worker.send('square', [4], { priority: 9 })).get(patient)).toBe(16)
  })

  it('fails a task whose follower has no queue to go to, and sends none of them', async () => {
    await using worker = serving(celeryTasks)
    const [queue, other] = [randomUUID(), randomUUID()]
    await redis.set(queue, 'no list')
    const follower = (queue: string) => ({ task: 'square', args: [], kwargs: {}, options: { queue } })
    const sent = await worker.send('square', [3], { callbacks: [follower(other)], chain: [follower(queue)] })
    await expect(sent.get(patient)).rejects.toThrow(`the next task cannot be sent: "${queue}" in Redis is not a queue`)
    expect(await redis.exists(other)).toBe(0)
  })

  it('says nothing where the client does not want to know', async () => {
    await using worker = serving(celeryTasks)
    const silent = await worker.send('square', [2], { ignoreResult: true })
    expect(await (await worker.send('square', [3])).get()).toBe(9)
    await until(async () => (await redis.llen(worker.queue)) === 0, patient)
    await expect(silent.get({ timeoutMs: 50 })).rejects.toThrow('square: no result after 0.05 s, it is PENDING')
    expect(await redis.exists(resultKey(silent.id))).toBe(0)
  })

  describe('given a message that nobody should have sent', () => {
    const body = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64')
    const nothing = { callbacks: null, errbacks: null, chain: null, chord: null }
    const change = (how: (message: Record<string, never>) => void) => (text: string) => {
      const message = JSON.parse(text) as Record<string, never>
      how(message)
      return JSON.stringify(message)
    }
    const withBody = (value: unknown) => change((message) => Object.assign(message, { body: body(value) }))

    it.each<[string, (text: string) => string, RegExp]>([
      ['an unknown task', change(({ headers }) => Object.assign(headers, { task: 'eval' })), /NotRegistered: eval/],
      [
        'a name every object inherits',
        change(({ headers }) => Object.assign(headers, { task: 'constructor' })),
        /NotRegistered/,
      ],
      ['the name __proto__', (text) => text.replace('"task":"square"', '"task":"__proto__"'), /NotRegistered/],
      [
        'an argument of a wrong type',
        withBody([['2'], {}, nothing]),
        /TypeError: square: .*expected number, received string/,
      ],
      ['keywords nobody knows', withBody([[2], { sudo: true }, nothing]), /TypeError: square: .*sudo/],
      [
        'an integer that a number cannot hold',
        (text) => withBody(0)(text).replace(body(0), Buffer.from('[[9007199254740993],{},{}]').toString('base64')),
        /TypeError: square: .*expected number, received bigint/,
      ],
      [
        'a NaN',
        (text) => withBody(0)(text).replace(body(0), Buffer.from('[[NaN],{},{}]').toString('base64')),
        /not JSON, which has no NaN/,
      ],
      [
        'a compression that is not served',
        change(({ headers }) => Object.assign(headers, { compression: 'application/x-bz2' })),
        /compression application\/x-bz2 is not served/,
      ],
      [
        'keywords with __proto__',
        (text) => withBody(0)(text).replace(body(0), Buffer.from('[[2],{"__proto__":{"a":1}},{}]').toString('base64')),
        /no keyword may be __proto__/,
      ],
      [
        'a pickle',
        change((message) =>
          Object.assign(message, {
            'content-type': 'application/x-python-serialize',
            body: 'gASVHgAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAR0cnVllIWUUpQu',
          }),
        ),
        /not a JSON message of protocol 2: .*application\/json/,
      ],
      ['a body that is no JSON', change((message) => Object.assign(message, { body: 'AAAA' })), /not JSON/],
      ['a body of another shape', withBody({ args: [2] }), /not \[args, kwargs, embed\]/],
      [
        'a body of 10 MB',
        withBody([['x'.repeat(10_000_000)], {}, nothing]),
        new RegExp(`a body of 1\\d+ bytes; at most ${mostBytes}`),
      ],
      [
        'retries of a wrong type',
        change(({ headers }) => Object.assign(headers, { retries: 'many' })),
        /expected number, received string/,
      ],
      [
        'lists in lists, 100,000 deep',
        (text) =>
          withBody(0)(text).replace(
            body(0),
            Buffer.from(`[[${'['.repeat(100_000)}${']'.repeat(100_000)}],{},{}]`).toString('base64'),
          ),
        /not \[args, kwargs, embed\]: .*call stack/,
      ],
      ['a chord', withBody([[2], {}, { ...nothing, chord: { task: 'x' } }]), /chords are not served/],
    ])('%s: fails that task with the reason and harms no other', async (_what, spoil, message) => {
      await using worker = serving(celeryTasks)
      const { text, id } = encodeMessage({ task: 'square', args: [2], queue: worker.queue })
      await redis.lpush(worker.queue, spoil(text))
      const told = await until(() => redis.get(resultKey(id)), patient)
      const { status, result } = JSON.parse(told) as {
        status: string
        result: { exc_type: string; exc_message: string[] }
      }
      expect(status).toBe('FAILURE')
      expect(`${result.exc_type}: ${result.exc_message[0]}`).toMatch(message)
      expect(await (await worker.send('square', [3])).get(patient)).toBe(9)
      expect(await redis.llen(worker.queue)).toBe(0)
      expect(Object.keys(Object.prototype)).toEqual([])
    })

    it('puts aside what names no task, with the reason, and takes no other task result away', async () => {
      await using worker = serving(celeryTasks)
      const first = await worker.send('square', [4])
      expect(await first.get()).toBe(16)
      await redis.lpush(worker.queue, 'rm -rf /', '[]', `{"headers":{"id":"${first.id}"}}`)
      const { rejected } = workerKeys(worker.queue)
      await until(async () => (await redis.llen(rejected)) === 3, patient)
      const kept = (await redis.lrange(rejected, 0, -1)).map(
        (text) => JSON.parse(text) as { reason: string; message: string },
      )
      expect(kept).toContainEqual({ reason: 'not JSON: rm -rf /', message: 'rm -rf /' })
      expect(JSON.parse((await redis.get(resultKey(first.id))) ?? '')).toMatchObject({ status: 'SUCCESS', result: 16 })
    })
  })

  it('killed in mid-task, leaves it to the others: it is run again once, with one result', async () => {
    const queue = randomUUID()
    const options = { url: server.url, queue, concurrency: 1 }
    await using victim = await startTypeScriptWorker(options, { leaseMs })
    // It does not end before its worker. The second time it need not take so long.
    const nap = { task: 'nap', args: [60], queue }
    const sent = await client.send(nap)
    const active = await until(async () => (await redis.keys(`${workerKeys(queue).active}*`))[0], patient)
    await victim.kill()
    await redis.lset(active, 0, encodeMessage({ ...nap, args: [0], id: sent.id }).text)
    await using second = await startTypeScriptWorker(options, { leaseMs })
    expect(await sent.get(patient)).toBeNull()
    expect(sent.states.map(({ status }) => status)).toEqual(['SUCCESS'])
    expect((await second.stop()).code).toBe(0)
    // It signed itself off; the other's name is kept for a while.
    expect(await redis.zcard(workerKeys(queue).workers)).toBe(1)
  })

  it('and its client come back after Redis was restarted', async () => {
    await using own = await startRedis({ appendOnly: true, own: true })
    await using worker = await startTypeScriptWorker({ url: own.url, queue: 'q' }, { leaseMs })
    await using client = await connectCelery(own.url)
    const slow = await client.send({ task: 'nap', args: [1.5], queue: 'q' })
    const got = slow.get(patient)
    /** Sends a task that the worker puts aside; again, where its time has come before that was seen. */
    async function sendForLater(): Promise<AsyncResult> {
      const sent = await client.send({ task: 'square', args: [5], queue: 'q', eta: Date.now() + 2_000 })
      const isAside = async () => (await redisAt(own.url, (redis) => redis.zcard('q:ts:scheduled'))) === 1
      const seen = await until(async () => ((await isAside()) ? 'aside' : sent.states.length > 0 && 'done'), patient)
      return seen === 'aside' ? sent : await sendForLater()
    }
    const later = await sendForLater()
    await own.server?.kill()
    await own.restart()
    expect(await got).toBeNull()
    expect(await later.get(patient)).toBe(25)
    expect((await worker.stop()).code).toBe(0)
  })

  it('says in one line that the password is wrong, as its client does', async () => {
    const wrong = server.url.replace(/:[^:@]*@/, ':wrong@')
    await expect(connectCelery(wrong)).rejects.toMatchObject({ cause: { message: expect.stringMatching(/WRONGPASS/) } })
    const { signal } = new AbortController()
    await expect(serveCelery(wrong, 'q', celeryTasks, { signal })).rejects.toThrow(
      /^Redis at redis:\/\/:\*\*\*@\S+ cannot be used$/,
    )
  })

  it('that is not there: the client says so when its time is over, and can be interrupted', async () => {
    const sent = await client.send({ task: 'square', args: [2], queue: 'nobody' })
    await expect(sent.get({ timeoutMs: 50 })).rejects.toThrow(
      'square: no result after 0.05 s, it is PENDING; does a worker serve "nobody"?',
    )
    const abort = new AbortController()
    const waiting = sent.get({ signal: abort.signal })
    abort.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await sent.forget()
    expect(await redis.pubsub('NUMSUB', resultKey(sent.id))).toEqual([resultKey(sent.id), 0])
  })

  /** A task that nobody serves, and the results that a test makes up for it. */
  async function unserved() {
    const sent = await client.send({ task: 'square', args: [2], queue: 'nobody' })
    return { ...sent, publish: (text: string) => redis.publish(resultKey(sent.id), text) }
  }

  it('whose result is no result: the client says so', async () => {
    const sent = await unserved()
    await sent.publish('rm -rf /')
    await expect(sent.get()).rejects.toThrow('square: the result store has rm -rf /')
    const failed = await unserved()
    await failed.publish('{"status": "FAILURE", "result": {"reason": "set by the task itself"}}')
    await expect(failed.get()).rejects.toThrow("square failed: FAILURE: { reason: 'set by the task itself' }")
  })

  it('that reports its progress: the client goes on waiting, also while it asks the store', async () => {
    const sent = await unserved()
    const progress = '{"status": "PROGRESS", "result": {"current": 3, "status": "SUCCESS"}, "traceback": null}'
    await redis.set(resultKey(sent.id), progress)
    await sent.publish(progress)
    await sent.publish('{"status": "RECEIVED", "result": null}')
    await expect(sent.get({ timeoutMs: 1_200 })).rejects.toThrow('no result after 1.2 s, it is RECEIVED')
    await sent.publish('{"status": "SUCCESS", "result": 7, "date_done": null}')
    expect(await sent.get(patient)).toBe(7)
    expect(sent.states.map(({ status }) => status)).toEqual(['PROGRESS', 'RECEIVED', 'SUCCESS'])
    expect(sent.states[0]?.result).toEqual({ current: 3, status: 'SUCCESS' })
  })

  it('whose message was lost with the connection: the client finds the result in the store', async () => {
    const sent = await unserved()
    await redis.set(resultKey(sent.id), '{"status": "SUCCESS", "result": [NaN, 9007199254740993]}')
    expect(await sent.get(patient)).toEqual([Number.NaN, 9007199254740993n])
  })

  it('and Redis are gone: client and worker still end, the client when its time is over', async () => {
    const proxy = await startProxy({ port: server.port, host: server.host })
    const url = server.url.replace(`:${server.port}`, `:${proxy.port}`)
    const stop = new AbortController()
    const ready = Promise.withResolvers<void>()
    const served = serveCelery(url, randomUUID(), celeryTasks, { signal: stop.signal, onReady: ready.resolve })
    await using lonely = await connectCelery(url)
    const sent = await lonely.send({ task: 'square', args: [2], queue: 'nobody' })
    await ready.promise
    await proxy[Symbol.asyncDispose]()
    // Long enough to ask the store once.
    await expect(sent.get({ timeoutMs: 1_200 })).rejects.toThrow('no result after 1.2 s')
    stop.abort()
    await served
  })
})
