/** Celery's messages and results, as texts: what goes in comes out, or is refused with the reason. */
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  type Call,
  callOf,
  decodeMessage,
  encodeMessage,
  listsOf,
  mostBytes,
  RejectedMessage,
  readResult,
  retryOf,
} from '../../src/celery/protocol.ts'
import { jsonValue } from '../fixtures/json-value.ts'

const nothing = { callbacks: null, errbacks: null, chain: null, chord: null }
const base64 = (text: string) => Buffer.from(text).toString('base64')

/** A message whose body is this text, with headers and properties of a Celery in Python. */
function messageOf(body: string, headers: object = {}) {
  const message = JSON.parse(encodeMessage({ task: 'square', queue: 'q' }).text)
  return JSON.stringify({ ...message, body: base64(body), headers: { ...message.headers, ...headers } })
}

const argsOf = (body: string) => decodeMessage(messageOf(body)).args

afterEach(() => void vi.unstubAllEnvs())

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
    expect(() => decodeMessage('rm -rf /')).toThrow(/^not JSON: rm -rf \/$/)
  })

  it.each<[string, string, (body: string) => Buffer]>([
    ['gzip', 'application/x-gzip', gzipSync],
    ['zlib, which is what Celery calls gzip', 'application/x-gzip', deflateSync],
    ['Brotli', 'application/x-brotli', brotliCompressSync],
    ['Zstandard', 'application/zstd', zstdCompressSync],
  ])('is decompressed: %s; one that is too large or damaged is rejected', (_what, compression, compress) => {
    const compressed = (body: string | Buffer, as: string = compression) => {
      const bytes = typeof body === 'string' ? compress(body) : body
      return JSON.stringify({ ...JSON.parse(messageOf('', { compression: as })), body: bytes.toString('base64') })
    }
    const text = JSON.stringify([['wörds'], {}, nothing])
    expect(decodeMessage(compressed(text)).args).toEqual(['wörds'])
    const bomb = JSON.stringify([['x'.repeat(mostBytes)], {}, nothing])
    expect(() => decodeMessage(compressed(bomb))).toThrow('a body of more than 1000000 bytes; at most 1000000')
    expect(() => decodeMessage(compressed(Buffer.from(text)))).toThrow(`compression ${compression}: `)
    expect(() => decodeMessage(compressed(text, 'application/x-bz2'))).toThrow(
      'compression application/x-bz2 is not served by this worker; it reads application/x-gzip, ',
    )
    expect(() => decodeMessage(compressed(text, 'constructor'))).toThrow('compression constructor is not served')
  })

  it('has every integer of Python exactly, or says which number it cannot have', () => {
    expect(argsOf('[[9007199254740993, -9007199254740993, 9007199254740992, 0.1], {}, {}]')).toEqual([
      9007199254740993n,
      -9007199254740993n,
      9007199254740992,
      0.1,
    ])
    const huge = 10n ** 400n
    expect(argsOf(`[[${huge}, "12345678901234567890"], {}, {}]`)).toEqual([huge, '12345678901234567890'])
    expect(() => argsOf('[[NaN], {}, {}]')).toThrow('not JSON, which has no NaN: [[NaN]')
    expect(() => argsOf('[[1, -Infinity], {}, {}]')).toThrow('not JSON, which has no Infinity: ')
    const { text } = encodeMessage({ task: 'add', args: [2n ** 64n + 1n, { n: [-(2n ** 53n)] }, -0], queue: 'q' })
    expect(decodeMessage(text).args).toEqual([2n ** 64n + 1n, { n: [-(2 ** 53)] }, -0])
  })

  it('has dates and decimals as texts, from old and new versions of Celery alike', () => {
    const typed = (type: string, value: unknown) => ({ __type__: type, __value__: value })
    const args = [
      typed('datetime', '2030-01-01T00:00:00'),
      [typed('decimal', '0.1')],
      { id: typed('uuid', { hex: '00112233445566778899aabbccddeeff' }) },
      typed('point', '1;2'),
      ...['date', 'time', 'bytes', 'base64'].map((type) => typed(type, 'text')),
    ]
    expect(argsOf(JSON.stringify([args, {}, nothing]))).toEqual([
      '2030-01-01T00:00:00',
      ['0.1'],
      { id: '00112233-4455-6677-8899-aabbccddeeff' },
      typed('point', '1;2'),
      ...Array(4).fill('text'),
    ])
  })

  it.each<[Partial<Call>, RegExp]>([
    [{ args: [1, Number.NaN] }, /^the arguments of add: received NaN at 1; accepts what JSON can carry$/],
    [{ kwargs: { to: Number.NEGATIVE_INFINITY } }, /^the keywords of add: received -Infinity at to; /],
    [{ args: [new Map([[1, 2]])] }, /received a Map at 0; /],
    [{ eta: Number.NaN }, /^add: .*received NaN → at eta$/],
    [{ expires: Number.POSITIVE_INFINITY }, /^add: .*received Infinity → at expires$|^add: .*→ at expires$/],
    [{ eta: 1e300 }, /^add: .*no moment → at eta$/],
    [{ priority: 10 }, /^add: .*<=9 → at priority$/],
    [{ retries: -1 }, /^add: .*→ at retries$/],
    [{ timelimit: [0, null] }, /^add: .*→ at timelimit\[0\]$/],
    [{ timelimit: [null, Number.NaN] }, /^add: .*received NaN → at timelimit\[1\]$/],
  ])('is not written with %o: the error says why', (call, message) => {
    expect(() => encodeMessage({ task: 'add', queue: 'q', ...call })).toThrow(message)
  })

  it('has times with all six digits of their microseconds, and reads one without a time zone as UTC', () => {
    vi.stubEnv('TZ', 'Asia/Tokyo')
    const { text } = encodeMessage({ task: 'add', queue: 'q', eta: Date.UTC(2030, 0) + 990 })
    expect(JSON.parse(text).headers.eta).toBe('2030-01-01T00:00:00.990000Z')
    const etaOf = (eta: string) => decodeMessage(messageOf('[[],{},{}]', { eta })).eta
    for (const eta of [
      '2030-01-01T00:00:00',
      '2030-01-01T00:00:00+00:00',
      '2030-01-01T01:00:00+0100',
      '2030-01-01T00:00:00Z',
    ])
      expect(etaOf(eta), eta).toBe(Date.UTC(2030, 0))
  })

  it('goes into the list of its priority', () => {
    const lists = Array.from({ length: 10 }, (_, priority) => encodeMessage({ task: 'add', queue: 'q', priority }).list)
    expect(lists.map((list) => listsOf('q').indexOf(list))).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2, 3])
    // As kombu's Redis transport names them.
    expect(listsOf('q')).toEqual(['q', 'q\x06\x163', 'q\x06\x166', 'q\x06\x169'])
  })

  it('is sent again as it was, but for the attempt and its moment', () => {
    const text = messageOf('[[9007199254740993],{},{}]', { shadow: 'alias', stamps: { n: 1 }, big: [1] }).replace(
      '"big":[1]',
      '"big":[9007199254740993]',
    )
    const again = retryOf(text, 2, Date.UTC(2030, 0))
    const expected = text
      .replace('"retries":0', '"retries":2')
      .replace('"eta":null', '"eta":"2030-01-01T00:00:00.000000Z"')
    expect(again).toBe(expected)
  })
})

describe('the next task of a chain', () => {
  const follow = (options: object) => {
    const chain = [
      { task: 'last', args: [], kwargs: {}, options: {} },
      { task: 'next', args: [1], kwargs: {}, options },
    ]
    const message = decodeMessage(messageOf(JSON.stringify([[], {}, { ...nothing, chain }])))
    const [, next] = message.chain
    if (!next) throw new Error('no next task')
    return { message, call: callOf(next, 'result', message, 'q') }
  }

  it('gets the result, and every option that its sender gave it', () => {
    const before = Date.now()
    const link = { task: 'told', args: [], kwargs: {}, options: { countdown: 9 } }
    const options = { countdown: 5, expires: 60, priority: 6, queue: 'other', time_limit: 9, soft_time_limit: 8, link }
    const { call, message } = follow({ ...options, task_id: 'id', ignore_result: true, reply_to: 'x', chord: null })
    expect(call).toMatchObject({
      task: 'next',
      args: ['result', 1],
      id: 'id',
      queue: 'other',
      priority: 6,
      timelimit: [9, 8],
      ignoreResult: true,
      callbacks: [link],
      parentId: message.id,
      rootId: message.id,
    })
    expect(call.eta).toBeGreaterThanOrEqual(before + 5_000)
    expect(call.eta).toBeLessThanOrEqual(Date.now() + 5_000)
    expect((call.expires ?? 0) - (call.eta ?? 0)).toBe(55_000)
    expect(encodeMessage(call).list).toBe('other\x06\x166')
  })

  it('that wants no result gets its own arguments alone, and knows the first task of all', () => {
    const chain = [{ task: 'next', args: [1], kwargs: { a: 2 }, options: {}, immutable: true }]
    const body = JSON.stringify([[], {}, { ...nothing, chain }])
    const message = decodeMessage(messageOf(body, { root_id: 'the first' }))
    const [next] = message.chain
    expect(next && callOf(next, 'result', message, 'q')).toMatchObject({
      args: [1],
      kwargs: { a: 2 },
      queue: 'q',
      rootId: 'the first',
      eta: undefined,
      expires: undefined,
      timelimit: [null, null],
      callbacks: [],
    })
  })

  it.each([
    ['as an old Celery writes it', '2030-01-01T00:00:00+00:00'],
    ['as today’s does', { __type__: 'datetime', __value__: '2030-01-01T00:00:00+00:00' }],
  ])('keeps to a moment, %s, which travels on unchanged', (_who, moment) => {
    const { call, message } = follow({ eta: moment, expires: moment })
    expect(call).toMatchObject({ eta: Date.UTC(2030, 0), expires: Date.UTC(2030, 0) })
    expect(message.chain[1]?.options).toMatchObject({ eta: moment, expires: moment })
  })

  it('takes a time limit of 0 for none, as Celery does', () => {
    const { call } = follow({ time_limit: 0, soft_time_limit: 0.5 })
    expect(call.timelimit).toEqual([null, 0.5])
    const { text } = encodeMessage({ task: 'add', queue: 'q' })
    const message = JSON.parse(text)
    message.headers.timelimit = [0, 0]
    expect(decodeMessage(JSON.stringify(message)).timelimit).toEqual([null, null])
  })

  it.each<[object, string]>([
    [
      { link: { task: 'celery.chain', args: [], kwargs: {}, options: {} } },
      'celery.chain is not served by this worker',
    ],
    [{ link_error: [{ task: 'x' }] }, 'link_error is not served by this worker'],
    [{ chord: { task: 'x' } }, 'chords are not served by this worker'],
    [{ countdown: 'soon' }, 'expected number, received string'],
    [{ eta: 'soon' }, 'a moment in ISO 8601'],
    [{ priority: 10 }, '<=9'],
    [{ link: { task: 'x', args: [], kwargs: {}, options: { chord: 1 } } }, 'chords are not served by this worker'],
  ])('with %o: the whole message is rejected before anything runs', (options, why) => {
    expect(() => follow(options)).toThrow(RejectedMessage)
    expect(() => follow(options)).toThrow(why)
  })
})

describe('a result', () => {
  it('is read as Python writes it, also where that is no JSON', () => {
    const text = '{"loss": NaN, "range": [-Infinity, Infinity], "said": "NaN, \\"Infinity\\"", "n": 9007199254740993}'
    expect(readResult(text)).toEqual({
      loss: Number.NaN,
      range: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
      said: 'NaN, "Infinity"',
      n: 9007199254740993n,
    })
    for (const text of ['nan', '{"a": NaNa}', '{NaN: 1}', '[1e999]', '']) expect(() => readResult(text), text).toThrow()
  })
})
