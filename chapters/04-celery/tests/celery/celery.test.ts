/** Celery's messages, both ways: with our own client and worker, and with the real Celery. */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from '@repo/common/async/until'
import { temporaryFolder } from '@repo/common/process/temporary'
import { startProxy } from '@repo/common/servers/proxy'
import { findRedisServer, installRedis, type RedisServer, startRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type CeleryClient, connectCelery } from '../../src/celery/client.ts'
import { type PythonReply, startCeleryWorker, startTypeScriptWorker } from '../../src/celery/programs.ts'
import { decodeMessage, encodeMessage, mostBytes, RejectedMessage, resultKey } from '../../src/celery/protocol.ts'
import { findPython, installPython } from '../../src/celery/python.ts'
import { celeryTasks } from '../../src/celery/tasks.ts'
import { type CeleryTask, celeryTask, serveCelery, workerKeys } from '../../src/celery/worker.ts'
import { jsonValue } from '../fixtures/json-value.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const redisNeed = {
  name: 'a Redis server',
  found: process.env.REDIS_URL ?? (await findRedisServer()),
  install: installRedis,
}
const python = await findPython('celery')
const celeryNeed = { name: 'Celery for Python', found: python && redisNeed.found, install: installPython.celery }
const patient = { timeoutMs: 60_000 }

describe('a message', () => {
  it('is read as it was written, for any call', () => {
    const call = fc.record({
      task: fc.string(),
      args: fc.array(jsonValue),
      kwargs: fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        jsonValue,
      ),
      id: fc.uuid(),
      retries: fc.nat(),
      eta: fc.option(fc.integer({ min: 0, max: 4e12 }), { nil: undefined }),
      expires: fc.option(fc.integer({ min: 0, max: 4e12 }), { nil: undefined }),
    })
    fc.assert(
      fc.property(call, (call) => {
        const { text, id } = encodeMessage({ ...call, queue: 'q' })
        expect(id).toBe(call.id)
        expect(decodeMessage(text)).toMatchObject({ ...call, chain: [], callbacks: [] })
      }),
    )
  })

  it('that is any other text is rejected, with the id it names', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => decodeMessage(text)).toThrow(RejectedMessage)
      }),
    )
    const { text, id } = encodeMessage({ task: 'add', queue: 'q' })
    const wrong = text.replace('application/json', 'application/x-python-serialize')
    expect(() => decodeMessage(wrong)).toThrow(expect.objectContaining({ id }))
  })
})

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
  function serving(tasks: Record<string, CeleryTask>) {
    const queue = randomUUID()
    const stop = new AbortController()
    const ready = Promise.withResolvers<void>()
    const options = { concurrency: 4, signal: stop.signal, onReady: ready.resolve }
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
    const flaky = await worker.send('flaky', [2])
    expect(await flaky.get(patient)).toBe('done at attempt 3')
    expect(flaky.states.map(({ status }) => status)).toEqual(['RETRY', 'RETRY', 'SUCCESS'])
    const hopeless = await worker.send('flaky', [10])
    await expect(hopeless.get(patient)).rejects.toThrow('attempt 6 failed')
    expect(hopeless.states.map(({ status }) => status)).toEqual([...Array(5).fill('RETRY'), 'FAILURE'])
  })

  it('keeps to the time before and after which a task may not run, and to its limits', async () => {
    const ranAt: number[] = []
    const note = celeryTask({ args: z.tuple([]), run: () => void ranAt.push(Date.now()) })
    await using worker = serving({ ...celeryTasks, note })
    const eta = Date.now() + 700
    await (await worker.send('note', [], { eta })).get(patient)
    expect(ranAt).toHaveLength(1)
    expect(ranAt[0]).toBeGreaterThanOrEqual(eta)
    await expect((await worker.send('note', [], { expires: Date.now() - 1 })).get()).rejects.toThrow(
      'TaskRevokedError: expired',
    )
    expect(ranAt).toHaveLength(1)
    const tooLong = await worker.send('nap', [30], { timelimit: [0.2, null] })
    await expect(tooLong.get()).rejects.toThrow('TimeLimitExceeded: 0.2')
    const asked = await worker.send('nap', [30], { timelimit: [30, 0.2] })
    await expect(asked.get()).rejects.toThrow('nap failed: AbortError')
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
    await using victim = await startTypeScriptWorker(options, { leaseMs: 1_500 })
    const sent = await client.send({ task: 'nap', args: [3], queue })
    await until(async () => (await redis.keys(`${workerKeys(queue).active}*`)).length === 1, patient)
    victim.process.kill('SIGKILL')
    await victim.exited
    await using second = await startTypeScriptWorker(options, { leaseMs: 1_500 })
    expect(await sent.get(patient)).toBeNull()
    expect(sent.states.map(({ status }) => status)).toEqual(['SUCCESS'])
    expect((await second.stop()).code).toBe(0)
    // It signed itself off; the other's name is kept for a while.
    expect(await redis.zcard(workerKeys(queue).workers)).toBe(1)
  })

  it('and its client come back after Redis was restarted', async () => {
    await using own = await startRedis({ appendOnly: true, own: true })
    await using worker = await startTypeScriptWorker({ url: own.url, queue: 'q' }, { leaseMs: 1_500 })
    await using client = await connectCelery(own.url)
    const slow = await client.send({ task: 'nap', args: [3], queue: 'q' })
    const got = slow.get(patient)
    const later = await client.send({ task: 'square', args: [5], queue: 'q', eta: Date.now() + 4_000 })
    await until(async () => (await redisAt(own.url, (redis) => redis.zcard('q:ts:scheduled'))) === 1, patient)
    own.server?.process.kill('SIGKILL')
    await own.server?.exited
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

  it('whose result is no result: the client says so', async () => {
    const sent = await client.send({ task: 'square', args: [2], queue: 'nobody' })
    await redis.publish(resultKey(sent.id), 'rm -rf /')
    await expect(sent.get()).rejects.toThrow('square: the result store has rm -rf /')
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
    await expect(sent.get({ timeoutMs: 1_500 })).rejects.toThrow('no result after 1.5 s')
    stop.abort()
    await served
  })
})

async function redisAt<T>(url: string, ask: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url)
  try {
    return await ask(redis)
  } finally {
    redis.disconnect()
  }
}

describeReal('the real Celery', celeryNeed, () => {
  if (!python) return

  it('runs our tasks, and its client gets our results: the example as a reader runs it', async () => {
    const run = await runExample(chapter, 'celery-interop', ['--json'])
    expect(run).toMatchObject({ code: 0 })
    type Reply = { task: string; states: string[]; result?: unknown; error?: object; traceback?: string }
    const { toPython, fromPython } = run.json<{ toPython: Reply[]; fromPython: PythonReply[] }>()
    expect(toPython).toMatchObject([
      { task: 'add', states: ['SUCCESS'], result: 5 },
      { task: 'count_words', states: ['SUCCESS'], result: { to: 2, be: 2 } },
      {
        task: 'divide',
        states: ['FAILURE'],
        error: { type: 'ZeroDivisionError', message: 'divide failed: ZeroDivisionError: division by zero' },
      },
      { task: 'add', states: ['FAILURE'], error: { type: 'TypeError' } },
      { task: 'flaky', states: ['RETRY', 'RETRY', 'SUCCESS'], result: 'done at attempt 3' },
      { task: 'os.system', states: ['FAILURE'], error: { type: 'NotRegistered' } },
    ])
    expect(toPython[2]?.traceback).toMatch(/^Traceback[\s\S]*celery_tasks\.py[\s\S]*return x \/ by/)
    expect(fromPython).toMatchObject([
      { state: 'SUCCESS', result: expect.any(Number) },
      { state: 'FAILURE', error: 'Error', message: 'there is no currency "atlantis"', isTypeError: false },
      { state: 'FAILURE', error: 'TypeError', isTypeError: true },
      { state: 'FAILURE', error: 'NotRegistered' },
      { state: 'SUCCESS', result: 'done at attempt 3' },
      { state: 'SUCCESS', result: 49 },
      { state: 'REVOKED', error: 'TaskRevokedError', message: 'expired' },
      { state: 'FAILURE', error: 'TimeLimitExceeded' },
      { state: 'SUCCESS', result: 3 ** 8 },
      { state: 'SUCCESS', result: Array.from({ length: 10 }, (_, n) => n * n) },
    ])
    expect(await run.leftBehind()).toEqual([])
  })

  it('takes a chain that begins here, and honours countdowns and expiry', async () => {
    await using server = await startRedis()
    await using _worker = await startCeleryWorker(python, { url: server.url, queue: 'python' })
    await using client = await connectCelery(server.url)
    const last = randomUUID()
    const next = {
      task: 'add',
      args: [100],
      kwargs: {},
      options: { task_id: last, queue: 'python' },
      immutable: false,
      subtask_type: null,
    }
    const first = await client.send({ task: 'add', args: [1, 2], queue: 'python', chain: [next] })
    expect(await first.get(patient)).toBe(3)
    const chained = await until(() => redisAt(server.url, (redis) => redis.get(resultKey(last))), patient)
    expect(JSON.parse(chained)).toMatchObject({ status: 'SUCCESS', result: 103 })

    // Late in its second: a worker that loses the fraction is far too early.
    const eta = Math.ceil(Date.now() / 1_000) * 1_000 + 990
    const later = await client.send({ task: 'add', args: [1, 2], queue: 'python', eta })
    expect(await later.get(patient)).toBe(3)
    expect(Date.now()).toBeGreaterThanOrEqual(eta)
    const expired = await client.send({ task: 'add', args: [1, 2], queue: 'python', expires: Date.now() - 60_000 })
    await expect(expired.get(patient)).rejects.toThrow('TaskRevokedError: expired')
  })

  it('runs a task again whose process was killed, once, and comes back after Redis was restarted', async () => {
    await using server = await startRedis({ appendOnly: true, own: true })
    await using folder = await temporaryFolder()
    await using _worker = await startCeleryWorker(python, { url: server.url, queue: 'python' })
    await using client = await connectCelery(server.url)
    const begun = async (file: string) => (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean)
    const note = async (name: string) => {
      const file = join(folder.path, name)
      const sent = await client.send({ task: 'note', args: [file, 3], queue: 'python' })
      const [pid] = await until(async () => ((await begun(file)).length > 0 ? begun(file) : undefined), patient)
      return { sent, file, pid: Number(pid) }
    }
    const killed = await note('killed')
    process.kill(killed.pid, 'SIGKILL')
    expect(await killed.sent.get(patient)).toBe(3)
    expect(await begun(killed.file)).toHaveLength(2)
    expect(killed.sent.states.map(({ status }) => status)).toEqual(['SUCCESS'])

    const cutOff = await note('cut off')
    server.server?.process.kill('SIGKILL')
    await server.server?.exited
    await server.restart()
    expect(await cutOff.sent.get(patient)).toBe(3)
    expect(await (await client.send({ task: 'add', args: [1, 2], queue: 'python' })).get(patient)).toBe(3)
  })
})
