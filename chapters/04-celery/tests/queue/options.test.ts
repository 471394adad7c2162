/** Options mean what they say, or are refused before anything is sent; what JSON would change is refused too. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { explainRedisError } from '../../src/queue/connect.ts'
import { RetryLater } from '../../src/queue/errors.ts'
import { jsonOf } from '../../src/queue/json.ts'
import { checkOptions, checkSettings, checkTask, parseArguments } from '../../src/queue/options.ts'
import { retryDelayMs } from '../../src/queue/retry.ts'
import { defineTask, type SendOptions } from '../../src/queue/task.ts'
import { jsonValue } from '../fixtures/json-value.ts'

const task = defineTask({ name: 'task', args: z.object({}), run: () => null })

describe('the options of a call', () => {
  const refused: [options: object, message: string][] = [
    [{ eta: new Date('31.12.2026') }, 'eta: received Invalid Date; accepts a valid Date'],
    [{ eta: new Date(8.64e15) }, 'eta: received Sat Sep 13 275760'],
    [{ eta: '2026-12-31' }, "eta: received '2026-12-31'; accepts a valid Date"],
    [{ countdownMs: Number.NaN }, 'countdownMs: received NaN; accepts milliseconds from 0 to 3153600000000'],
    [{ countdownMs: -1 }, 'countdownMs: received -1; accepts'],
    [{ countdownMs: 3_153_600_000_001 }, 'countdownMs: received 3153600000001; accepts'],
    [{ eta: new Date(), countdownMs: 1 }, 'received both eta and countdownMs; accepts one of them'],
    [{ expiresInMs: Infinity }, 'expiresInMs: received Infinity; accepts'],
    [{ softLimitMs: Number.NaN }, 'softLimitMs: received NaN; accepts'],
    [{ hardLimitMs: Infinity }, 'hardLimitMs: received Infinity; accepts'],
    [{ maxRetries: Infinity }, 'maxRetries: received Infinity; accepts whole numbers from 0 to 1000000'],
    [{ maxRetries: 1.5 }, 'maxRetries: received 1.5; accepts'],
    [{ priority: 2.5 }, 'priority: received 2.5; accepts 1 to 9, 1 is first'],
    [{ queue: 'a:b' }, "queue: received 'a:b'; accepts a name without colons"],
    [{ queue: '' }, "queue: received ''; accepts a name without colons"],
    [{ idempotencyKey: '' }, "idempotencyKey: received ''; accepts a text of whole characters that is not empty"],
    [
      { idempotencyKey: 'order 💶'.slice(0, -1) },
      "idempotencyKey: received 'order \\ud83d'; accepts a text of whole characters",
    ],
    [{ ignoreResult: 'no' }, "ignoreResult: received 'no'; accepts true or false"],
    [{ countdown: 5 }, 'Unrecognized key: "countdown"'],
  ]
  it.each(refused)('are refused when they cannot be met: %o', (options, message) => {
    expect(() => checkOptions(task, options)).toThrow(RangeError)
    expect(() => checkOptions(task, options)).toThrow(`task: ${message}`)
  })

  it('are accepted from one end to the other', () => {
    const accepted: SendOptions[] = [
      {},
      { countdownMs: 0, expiresInMs: 0, softLimitMs: 0, hardLimitMs: 0, maxRetries: 0, priority: 1, queue: 'a.b-c' },
      { countdownMs: 3_153_600_000_000, hardLimitMs: 30 * 24 * 3600 * 1000, maxRetries: 1_000_000, priority: 9 },
      { eta: new Date(0), ignoreResult: true, idempotencyKey: 'k' },
    ]
    for (const options of accepted) expect(() => checkOptions(task, options)).not.toThrow()
  })
})

describe('the options of a task and of a worker', () => {
  it.each([0, -1, Number.NaN, Infinity, 1.5])('refuse a rate of %d', (max) => {
    const rateLimit = { max, perMs: 1_000 }
    const message = `rateLimit.max: received ${max}; accepts whole numbers from 1 to 1000000`
    expect(() => checkTask({ ...task, rateLimit })).toThrow(`task: ${message}`)
    expect(() => checkSettings({ queueSettings: { q: { rateLimit } } })).toThrow(`queueSettings.q.${message}`)
  })

  it('refuse what cannot be met, and name it', () => {
    expect(() => checkTask({ ...task, rateLimit: { max: 1, perMs: 0 } })).toThrow(
      'rateLimit.perMs: received 0; accepts',
    )
    expect(() => checkTask({ ...task, retries: { max: Infinity } })).toThrow('retries.max: received Infinity; accepts')
    expect(() => checkTask({ ...task, retries: { max: 1, baseMs: Number.NaN } })).toThrow(
      'retries.baseMs: received NaN',
    )
    expect(() => checkTask({ ...task, version: 1.5 })).toThrow('version: received 1.5; accepts whole numbers')
    expect(() => checkTask({ ...task, maxPayloadBytes: Number.NaN })).toThrow('maxPayloadBytes: received NaN; accepts')
    for (const concurrency of [0, Number.NaN, 1.5, Infinity]) {
      expect(() => checkSettings({ concurrency })).toThrow(
        `concurrency: received ${concurrency}; accepts whole numbers`,
      )
    }
    expect(() => checkSettings({ maxPayloadByte: 5 })).toThrow('Unrecognized key: "maxPayloadByte"')
    expect(() => checkSettings({ routes: { '*': 'a:b' } })).toThrow("routes.*: received 'a:b'; accepts a name without")
    expect(() => checkSettings({ lockMs: 2 ** 31 })).toThrow('lockMs: received 2147483648; accepts')
    for (const queues of [[], ['a', 'a'], ['a:b'], Array.from({ length: 101 }, (_, at) => `q${at}`)]) {
      expect(() => checkSettings({ queues })).toThrow('accepts 1 to 100 names without colons, each once')
    }
    const most = { maxPayloadBytes: Infinity, queues: ['a'], concurrency: 10_000, lockMs: 2 ** 31 - 1 }
    expect(() => checkSettings(most)).not.toThrow()
  })

  it('refuse a retry at a time that does not exist', () => {
    for (const afterMs of [Number.NaN, -1, Infinity]) {
      expect(() => new RetryLater('later', { afterMs })).toThrow(`afterMs: received ${afterMs}; accepts milliseconds`)
    }
    expect(retryDelayMs(1, new RetryLater('later', { afterMs: 0.5 }), undefined)).toBe(1)
  })

  it('refuse arguments when the schema throws by itself', () => {
    const args = z.any().transform(() => {
      throw null
    })
    expect(() => parseArguments({ ...task, args }, 1)).toThrow('task: its schema has thrown: null')
  })

  it('do not retry when the question whether to retry fails itself', () => {
    const when = (error: Error) => (error as unknown as { response: { status: number } }).response.status === 503
    const policy = { max: 3, baseMs: 8, jitter: false, when }
    expect(retryDelayMs(1, new Error('no response'), policy)).toBe(-1)
    expect(retryDelayMs(1, Object.assign(new Error('busy'), { response: { status: 503 } }), policy)).toBe(8)
    // Unless it was caught, its rejection fails this test run.
    const late = { ...policy, when: async (error: Error) => when(error) }
    expect(retryDelayMs(1, new Error('no response'), late as unknown as typeof policy)).toBe(-1)
  })
})

describe('JSON', () => {
  it('carries what came out of JSON', () => {
    fc.assert(
      fc.property(jsonValue, (value) => {
        expect(JSON.parse(jsonOf(value))).toEqual(value)
      }),
    )
  })

  const circle: unknown[] = []
  circle.push(circle)
  const changed: [value: unknown, what: string][] = [
    [Number.NaN, 'NaN'],
    [{ rates: [1, Infinity] }, 'Infinity at rates.1'],
    [[{ a: -Infinity }], '-Infinity at 0.a'],
    [new Date(), 'a Date'],
    [{ when: { at: new Date() } }, 'a Date at when.at'],
    [new Map(), 'a Map'],
    [[new Set()], 'a Set at 0'],
    [{ bytes: new Uint8Array(2) }, 'a Uint8Array at bytes'],
    [new Error('e'), 'a Error'],
    [[1, undefined], 'undefined at 1'],
    [{ f: () => 1 }, 'a function at f'],
    [Symbol('s'), 'a symbol'],
    [Object.create(Object.create(null)), 'an object of no class'],
    [10n, 'it: Do not know how to serialize a BigInt'],
    [circle, 'it: Converting circular structure to JSON'],
  ]
  it.each(changed)('does not carry %o', (value, what) => {
    expect(() => jsonOf(value)).toThrow(new TypeError(`JSON cannot carry ${what}`))
  })

  it('carries nothing as null, and leaves out properties that are undefined', () => {
    expect([jsonOf(undefined), jsonOf({ a: undefined, b: 1 }), jsonOf(Object.create(null))]).toEqual([
      'null',
      '{"b":1}',
      '{}',
    ])
  })

  it('converts what can convert itself, where that is allowed', () => {
    const converted: string[] = []
    expect(jsonOf({ at: new Date(0) }, () => converted.push('once'))).toBe('{"at":"1970-01-01T00:00:00.000Z"}')
    expect(converted).toEqual(['once'])
    expect(() => jsonOf([new Date(0), Number.NaN], () => {})).toThrow('NaN at 1')
  })

  const conversions: [converted: unknown, what: string][] = [
    [Number.NaN, 'NaN at at'],
    [new Map(), 'a Map at at'],
    // JSON.stringify converts once only, and writes this as {}.
    [new Date(0), 'a Date at at'],
    [{ list: [undefined] }, 'undefined at at.list.0'],
    [null, 'a Object that becomes null at at'],
    [undefined, 'a Object that becomes undefined at at'],
  ]
  it.each(conversions)('does not carry what is converted to %o', (converted, what) => {
    expect(() => jsonOf({ at: { toJSON: () => converted } }, () => {})).toThrow(`JSON cannot carry ${what}`)
  })

  it('does not carry a date that does not exist', () => {
    const invalid = { when: new Date(Number.NaN) }
    expect(() => jsonOf(invalid, () => {})).toThrow('JSON cannot carry a Date that becomes null at when')
  })

  it('is what the compiler accepts as a result', () => {
    const args = z.object({})
    interface Row {
      name: string
      rows?: Row[]
    }
    defineTask({ name: 'a', args, run: (): readonly Row[] => [{ name: 'x' }] })
    // @ts-expect-error
    defineTask({ name: 'b', args, run: () => new Date() })
    // @ts-expect-error
    defineTask({ name: 'c', args, run: async () => ({ found: new Map<string, number>() }) })
    // @ts-expect-error
    defineTask({ name: 'd', args, run: () => [1n] })
    expect.assertions(0)
  })
})

describe('a refusal of Redis', () => {
  const errors: [message: string, explained: string][] = [
    [
      "READONLY You can't write against a read only replica. script: 0a9f, on @user_script:1.",
      'is a read-only replica',
    ],
    ["ERR Error running script (call to f_0a): @user_script:1: -READONLY You can't", 'is a read-only replica'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'is full: make room'],
    ['LOADING Redis is loading the dataset in memory', 'still reads its data from disk'],
    ['MISCONF Redis is configured to save RDB snapshots', 'cannot save to its disk'],
    ['NOPERM this user has no permissions', 'does not allow this user the command'],
  ]
  it.each(errors)('is explained: %s', (message, explained) => {
    const error = explainRedisError(new Error(message), 'redis://:secret@host:1')
    expect(String(error)).toContain(`Redis at redis://:***@host:1 ${explained}`)
  })

  it('is found in the transaction that was discarded for it', () => {
    const previousErrors = [new Error("OOM command not allowed when used memory > 'maxmemory'.")]
    const error = Object.assign(new Error('EXECABORT Transaction discarded because of previous errors.'), {
      previousErrors,
    })
    expect(String(explainRedisError(error, 'redis://host:1'))).toContain('Redis at redis://host:1 is full: make room')
  })

  it('is not made of other errors', () => {
    const error = new Error('WRONGTYPE Operation against a key')
    expect(explainRedisError(error, 'redis://host')).toBe(error)
    expect(explainRedisError('text', 'redis://host')).toBe('text')
  })
})
