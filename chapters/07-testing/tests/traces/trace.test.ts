import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { deflateSync, gzipSync } from 'node:zlib'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runHere } from '@repo/common/testing/run-here'
import { type RunOptions, runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { describe, expect, it, vi } from 'vitest'
import trace from '../../examples/trace.ts'
import { type Span, startCollector, upstreamOf } from '../../src/traces/collector.ts'
import {
  bar,
  busyMs,
  drawWaterfall,
  extent,
  linkedSpans,
  waterfall,
  waterfallText,
  wholeness,
} from '../../src/traces/waterfall.ts'

const chapter = join(import.meta.dirname, '../..')
const run = (args: string[], options?: RunOptions) => runExample(chapter, 'trace', args, options)
const span = (spanId: string, parentId: string | undefined, startMs: number, endMs: number, process = 'a'): Span => ({
  traceId: 't',
  spanId,
  parentId,
  links: [],
  name: spanId,
  kind: 'internal',
  process,
  startMs,
  endMs,
  failed: false,
  attributes: {},
})

describe('a waterfall', () => {
  const spans = [
    span('late', 'root', 5, 9, 'b'),
    span('leaf', 'early', 2, 3),
    span('root', undefined, 0, 9),
    span('early', 'root', 1, 4),
  ]

  it('has each span below its parent, in time order; a span without a known parent has depth 0', () => {
    expect(waterfall(spans).map(({ span, depth }) => `${depth} ${span.name}`)).toEqual([
      '0 root',
      '1 early',
      '2 leaf',
      '1 late',
    ])
    expect(waterfall([span('orphan', 'lost', 0, 1)])).toMatchObject([{ depth: 0 }])
    expect(waterfall([])).toEqual([])
  })

  it('shows each span once, however deep, and also the spans of a circle and one without an id', () => {
    const chain = Array.from({ length: 20_000 }, (_, at) =>
      span(String(at), at ? String(at - 1) : undefined, at, at + 1),
    )
    expect(waterfall(chain).map(({ depth }) => depth)).toEqual(chain.map((_, at) => at))
    const odd = [span('b', 'a', 1, 2), span('a', 'b', 0, 1), span('own', 'own', 2, 3), span('', undefined, 3, 4)]
    expect(waterfall(odd).map(({ span, depth }) => `${depth} ${span.name}`)).toEqual(['0 ', '0 a', '1 b', '0 own'])
    const below = [...odd, span('leaf', 'b', 4, 5)]
    expect(waterfall(below).flatMap(({ span, inCircle }) => (inCircle ? span.name : []))).toEqual(['a', 'b', 'own'])
    const text = waterfallText(waterfall(below), 10)
    expect(text.map((line) => line.slice(0, 10).trimEnd())).toEqual(['', '↻ a', '  ↻ b', '    leaf', '↻ own'])
  })

  it('is shown whatever it is: deep, long, circular', () => {
    const chain = Array.from({ length: 10_000 }, (_, at) =>
      span(String(at), at ? String(at - 1) : undefined, at, at + 1),
    )
    const ring = chain.map((each, at) => (at === 0 ? { ...each, parentId: '9999' } : each))
    // More than a call may have arguments.
    const many = Array.from({ length: 130_000 }, (_, at) => span(String(at), at ? '0' : undefined, at, at + 1))
    for (const [spans, last] of [
      [chain, '                        9999: 9999'],
      [ring, '                        9999: ↻ 9999'],
      [many, '  129999'],
    ] as const) {
      const rows = waterfall(spans)
      const text = waterfallText(rows, 10)
      expect([text.length, text.at(-1)?.slice(0, 36).trimEnd()]).toEqual([spans.length, last])
      expect(drawWaterfall(rows, 'all').length).toBeLessThan(1e6)
      expect(busyMs(spans).get('a')).toBe(spans.length)
    }
  })

  it('says of a span that it has failed, also without colours', () => {
    expect(waterfallText(waterfall([{ ...span('x', undefined, 0, 4), failed: true }]), 10)[0]).toMatch(/█{10} ✗/)
  })

  it('counts a process’s overlapping time once', () => {
    expect([...busyMs([span('x', undefined, 0, 4), span('y', 'x', 1, 2), span('z', undefined, 10, 11)])]).toEqual([
      ['a', 5],
    ])
  })

  it('may have 200,000 spans', () => {
    const many = Array.from({ length: 200_000 }, (_, at) => span(String(at), undefined, at, at + 1))
    expect(extent(many)).toEqual({ startMs: 0, endMs: 200_000 })
  })

  it('draws bars as long as the spans', () => {
    const whole = { startMs: 0, endMs: 10 }
    expect(bar(span('x', undefined, 0, 10), whole, 10)).toBe('█'.repeat(10))
    expect(bar(span('x', undefined, 5, 8), whole, 10)).toBe('     ███  ')
    expect(bar(span('x', undefined, 10, 10), whole, 10)).toBe('         ▏')
  })
})

describe('linked traces', () => {
  const linked = (traceId: string, spanId: string, startMs: number, links: Span['links'] = []): Span => ({
    ...span(spanId, undefined, startMs, startMs + 4),
    traceId,
    links,
  })
  const spans = [
    linked('aaaaaaaaaa', 'send', 0),
    linked('bbbbbbbbbb', 'first try', 2, [{ traceId: 'aaaaaaaaaa', spanId: 'send' }]),
    linked('cccccccccc', 'second try', 6, [{ traceId: 'aaaaaaaaaa', spanId: 'send' }]),
    linked('dddddddddd', 'stranger', 1),
  ]

  it('are found from any of them, and drawn below each other with what they are linked to', () => {
    for (const traceId of ['aaaaaaaaaa', 'cccccccccc'])
      expect(linkedSpans(spans, traceId).map(({ spanId }) => spanId)).toEqual(['send', 'first try', 'second try'])
    expect(linkedSpans(spans, 'eeee')).toEqual([])
    const rows = waterfall(linkedSpans(spans, 'bbbbbbbbbb'))
    expect(waterfallText(rows, 10).map((line) => line.replace(/ {2}.*/, ''))).toEqual([
      'send',
      '⇠ trace bbbbbbbb, linked to send of trace aaaaaaaa',
      'first try',
      '⇠ trace cccccccc, linked to send of trace aaaaaaaa',
      'second try',
    ])
    const svg = drawWaterfall(rows, 'all')
    expect(svg).toMatch(/3 linked traces/)
    const [, arrows] = /<g [^>]*aria-label="arrow"[^>]*>(.*?)<\/g>/s.exec(svg) ?? []
    expect(arrows?.match(/<path/g)).toHaveLength(2)
    expect(drawWaterfall(waterfall([span('x', undefined, 0, 4)]), 'one')).not.toMatch(/arrow/)
  })

  it('say what is missing', () => {
    expect(wholeness(spans)).toEqual({ traces: 4, halves: 0, links: 2, loose: 0 })
    const rest = spans.slice(1)
    expect(wholeness(rest)).toEqual({ traces: 3, halves: 0, links: 2, loose: 2 })
    expect(waterfallText(waterfall(rest), 10).join()).toMatch(
      /linked to a span that was not recorded of trace aaaaaaaa/,
    )
    expect(wholeness([span('a', undefined, 0, 1), span('b', 'lost', 0, 1)])).toMatchObject({ traces: 1, halves: 1 })
  })
})

describe('the collector', () => {
  it('accepts OTLP as JSON, and says what it does not accept', async () => {
    await using collector = await startCollector()
    const post = async (body: string, type = 'application/json', path = '/v1/traces') =>
      (await fetch(collector.endpoint + path, { method: 'POST', headers: { 'content-type': type }, body })).status
    const attributes = [{ key: 'n', value: { intValue: '7' } }]
    const sent = {
      traceId: 'aa',
      spanId: 'bb',
      name: 'work',
      kind: 3,
      startTimeUnixNano: '1000000',
      endTimeUnixNano: '3500000',
      links: [{ traceId: 'cc', spanId: 'dd', attributes: [] }],
      attributes,
    }
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'front' } }] }
    expect(await post(JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: [sent] }] }] }))).toBe(200)
    expect(collector.spans).toEqual([
      {
        ...span('bb', undefined, 1, 3.5, 'front'),
        traceId: 'aa',
        links: [{ traceId: 'cc', spanId: 'dd' }],
        name: 'work',
        kind: 'client',
        attributes: { n: 7 },
      },
    ])
    expect(await post('{')).toBe(400)
    expect(await post('x', 'application/x-protobuf')).toBe(415)
    expect(await post('{}', 'application/json', '/v1/metrics')).toBe(404)
    expect(await post('{}')).toBe(200)
  })

  const oneSpan = (attributes: object[] = [], spanId = 's') => ({
    resourceSpans: [
      {
        resource: {
          attributes: [
            {
              key: 'process.command_args',
              value: { arrayValue: { values: [{ stringValue: 'node' }, { intValue: '1' }] } },
            },
          ],
        },
        scopeSpans: [
          {
            spans: [
              {
                traceId: 't',
                spanId,
                name: 'n',
                kind: 1,
                startTimeUnixNano: '0',
                endTimeUnixNano: '1',
                attributes,
              },
            ],
          },
        ],
      },
    ],
  })
  const post = (endpoint: string, body: string | Uint8Array<ArrayBuffer>, encoding: string) =>
    fetch(`${endpoint}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-encoding': encoding },
      body,
    })

  it('unpacks what is compressed, up to its bound', async () => {
    await using collector = await startCollector()
    const textOf = (spanId: string) => JSON.stringify(oneSpan([], spanId))
    const text = textOf('s')
    const pack = { gzip: gzipSync, deflate: deflateSync, identity: (plain: string) => Buffer.from(plain) }
    for (const [encoding, packed] of Object.entries(pack))
      expect(
        (await post(collector.endpoint, new Uint8Array(packed(textOf(encoding))), encoding)).status,
        encoding,
      ).toBe(200)
    expect(collector.spans).toHaveLength(3)
    // 65 MiB of blanks.
    const bomb = new Uint8Array(gzipSync(Buffer.alloc(65 << 20, ' ')))
    expect((await post(collector.endpoint, bomb, 'gzip')).status).toBe(413)
    expect((await post(collector.endpoint, text, 'gzip')).status).toBe(400)
    expect((await post(collector.endpoint, text, 'br')).status).toBe(415)
    expect(collector.spans).toHaveLength(3)
  })

  it('reads every kind of attribute: lists, maps, large numbers, none', async () => {
    await using collector = await startCollector()
    const values: [unknown, unknown][] = [
      [{ stringValue: '' }, ''],
      [{ boolValue: false }, false],
      [{ intValue: '7' }, 7],
      [{ intValue: '9223372036854775807' }, '9223372036854775807'],
      [{ doubleValue: 0.5 }, 0.5],
      [{ doubleValue: 'NaN' }, 'NaN'],
      [{ bytesValue: 'AQI=' }, 'AQI='],
      [{ arrayValue: { values: [{ stringValue: 'a' }, {}, { intValue: 2 }] } }, '["a",2]'],
      [{ arrayValue: {} }, '[]'],
      [{ kvlistValue: { values: [{ key: 'k', value: { boolValue: true } }] } }, '{"k":true}'],
      [{}, undefined],
      [null, undefined],
      [undefined, undefined],
    ]
    const attributes = values.map(([value], at) => ({ key: String(at), value }))
    expect((await post(collector.endpoint, JSON.stringify(oneSpan(attributes)), 'identity')).status).toBe(200)
    expect(values.map((_, at) => collector.spans[0]?.attributes[at])).toEqual(values.map(([, read]) => read))
  })

  it('takes what is null for not set, whatever the case of the headers, and any number of spans', async () => {
    await using collector = await startCollector()
    const send = async (resourceSpans: unknown, type = 'application/json', encoding = 'identity') => {
      const headers = { 'content-type': type, 'content-encoding': encoding }
      const body = new Uint8Array(Buffer.from(JSON.stringify({ resourceSpans })))
      const packed = encoding === 'GZIP' ? new Uint8Array(gzipSync(body)) : body
      return (await fetch(`${collector.endpoint}/v1/traces`, { method: 'POST', headers, body: packed })).status
    }
    const one = { traceId: 't', spanId: 's', name: 'n' }
    const attributes = [null, { key: 'k', value: { intValue: null, stringValue: 'text' } }]
    const spans = [null, { ...one, attributes: null, parentSpanId: null }, { ...one, spanId: 'u', attributes }]
    expect(await send(null)).toBe(200)
    expect(await send([null, { resource: null, scopeSpans: [null, { spans }, { spans: null }] }])).toBe(200)
    expect(collector.spans).toEqual([
      { ...span('s', undefined, 0, 0, 'unknown'), name: 'n' },
      { ...span('u', undefined, 0, 0, 'unknown'), name: 'n', attributes: { k: 'text' } },
    ])
    const many = [
      { scopeSpans: [{ spans: Array.from({ length: 130_000 }, (_, at) => ({ ...one, spanId: String(at) })) }] },
    ]
    expect(await send(many, 'Application/JSON; charset=utf-8', 'GZIP')).toBe(200)
    expect(collector.spans).toHaveLength(130_002)
    expect(await send([{ scopeSpans: [{ spans: [{ ...one, startTimeUnixNano: 'noon' }] }] }])).toBe(400)
  })

  it('forwards what it accepts, and says why if it cannot', async () => {
    await using far = await startCollector()
    {
      await using near = await startCollector({
        forwardTo: upstreamOf({ OTEL_EXPORTER_OTLP_ENDPOINT: `${far.endpoint}/` }),
      })
      const body = JSON.stringify({
        resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: 'aa', spanId: 'bb', name: 'x', kind: 1 }] }] }],
      })
      await fetch(`${near.endpoint}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      })
      await near[Symbol.asyncDispose]()
      expect(near.problem).toBe(undefined)
    }
    expect(far.spans).toMatchObject([{ traceId: 'aa', process: 'unknown' }])
    {
      await using near = await startCollector({
        forwardTo: upstreamOf({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }),
      })
      await post(near.endpoint, JSON.stringify(oneSpan()), 'identity')
      await near[Symbol.asyncDispose]()
      expect(near.problem).toBe('bad port')
      expect(near.spans).toHaveLength(1)
    }
  })
})

describe('a collector in the middle', () => {
  const body = (spanId: string) => {
    const span = { traceId: 't', spanId, name: 'x', startTimeUnixNano: '0', endTimeUnixNano: '1' }
    return JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] })
  }
  const post = (endpoint: string, text: string) =>
    fetch(`${endpoint}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: text })

  it('knows a span by its id, however often it is delivered', async () => {
    await using collector = await startCollector()
    for (let times = 0; times < 3; times++)
      for (const id of ['a', 'b']) expect((await post(collector.endpoint, body(id))).status).toBe(200)
    expect(collector.spans.map(({ spanId }) => spanId)).toEqual(['a', 'b'])
  })

  it('passes on that the next one is busy, so that the sender tries again, and its user and password', async () => {
    const seen: (string | undefined)[] = []
    const busy = createServer((request, response) => {
      seen.push(request.headers.authorization)
      if (seen.length === 1) response.writeHead(503, { 'retry-after': '7' }).end()
      else response.writeHead(seen.length === 2 ? 200 : 400).end()
    }).listen(0, '127.0.0.1')
    await once(busy, 'listening')
    const { port } = busy.address() as AddressInfo
    const forwardTo = upstreamOf({
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://ann:ses%20ame@127.0.0.1:${port}/traces`,
    })
    await using collector = await startCollector({ forwardTo })
    const first = await post(collector.endpoint, body('a'))
    expect([first.status, first.headers.get('retry-after'), collector.problem]).toEqual([503, '7', undefined])
    expect((await post(collector.endpoint, body('a'))).status).toBe(200)
    expect([collector.refused, collector.spans.length]).toEqual([1, 1])
    expect((await post(collector.endpoint, body('b'))).status).toBe(400)
    expect([collector.refused, collector.problem]).toEqual([2, 'it answers 400'])
    busy.close()
    const basic = `Basic ${Buffer.from('ann:ses ame').toString('base64')}`
    expect(seen).toEqual([basic, basic, basic])
  })

  it('ends although a request was sent by half', async () => {
    const collector = await startCollector()
    const half = connect(Number(new URL(collector.endpoint).port), '127.0.0.1')
    half.on('error', () => {})
    half.write('POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{')
    await once(half, 'connect')
    await collector[Symbol.asyncDispose]()
    half.destroy()
  })

  it('is the one that the environment names, for traces first', () => {
    const url = (env: NodeJS.ProcessEnv) => upstreamOf(env)?.url.href
    const [all, traces] = [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:1/x/' },
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://b:2/y' },
    ]
    expect([url({}), url(all), url(traces), url({ ...all, ...traces })]).toEqual([
      undefined,
      'http://a:1/x/v1/traces',
      'http://b:2/y',
      'http://b:2/y',
    ])
    const headers = { OTEL_EXPORTER_OTLP_HEADERS: 'a=1', OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'b=2,c=%20x' }
    expect(upstreamOf({ ...all, ...headers })?.headers).toEqual({ b: '2', c: 'x' })
    expect(() => upstreamOf({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http//ann:sesame@b' })).toThrow(
      /^OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: received "\*\*\*"; accepts an http or https URL/,
    )
  })
})

describeReal('the example', { name: 'a Redis server', found: await findRedisServer(), install: installRedis }, () => {
  it('shows one order through HTTP, both queues and Redis as linked traces, and forwards them to the given endpoint', async () => {
    await using receiver = await startCollector()
    // What is set for traces counts first, here and in the processes.
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.endpoint}/v1/traces`,
    }
    const done = await run(['--quick', '--json'], { env })
    const result = done.json<{
      traceId: string
      waterfall: { name: string; kind: string; process: string; depth: number }[]
      processes: string[]
      spansInAll: number
      inRedis: string
    }>()
    expect(result).toMatchObject({ order: 'order-1', traces: 3, complete: 10, exported: true })
    expect(result.processes.map((name) => name.split(' ')[0])).toEqual(['client', 'front', 'payment', 'shipping'])
    const names = result.waterfall.map(({ name, kind, depth }) => `${depth} ${kind} ${name}`)
    expect(names).toEqual(
      expect.arrayContaining([
        '0 client place order',
        '1 server POST /orders',
        '3 producer add payment',
        '0 consumer process payment',
        '1 internal charge',
        '2 client evalsha',
        '2 producer add shipping',
        '1 client complete payment',
        '0 consumer process shipping',
        '1 internal take',
        '2 client evalsha',
        '1 client complete shipping',
      ]),
    )
    expect(receiver.spans.length).toBe(result.spansInAll)
    expect(linkedSpans(receiver.spans, result.traceId).length).toBe(result.waterfall.length)
    expect(JSON.parse(result.inRedis)).toEqual({
      traceparent: expect.stringContaining(result.traceId),
      baggage: 'customer.tier=gold',
    })

    // The convention's table of operations: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
    const kindOf = { send: 'producer', process: 'consumer', settle: 'client' } as Record<string, string>
    const messaging = receiver.spans.filter(({ attributes }) => 'messaging.system' in attributes)
    expect(new Set(messaging.map(({ attributes }) => attributes['messaging.operation.name']))).toEqual(
      new Set(['add', 'process', 'complete', 'delay']),
    )
    for (const { name, kind, attributes, failed } of messaging) {
      const operation = attributes['messaging.operation.name']
      const destination = attributes['messaging.destination.name']
      expect(name).toBe(`${operation} ${destination}`)
      expect(kind).toBe(kindOf[String(attributes['messaging.operation.type'])])
      expect(attributes).toMatchObject({
        'messaging.system': 'bullmq',
        'messaging.destination.name': expect.stringMatching(/^(payment|shipping)$/),
        'messaging.message.id': expect.stringMatching(/^order-\d+\.job$/),
        'server.address': expect.any(String),
        'server.port': expect.any(Number),
      })
      expect(attributes['error.type']).toBe(failed ? 'TryAgain' : undefined)
      if (kind === 'consumer') {
        expect(attributes['messaging.message.conversation_id']).toMatch(/^[\da-f-]{36}$/)
        expect(attributes['messaging.client.id']).toMatch(/^(payment|shipping) [12]$/)
      }
    }

    // One card is refused, five times: these deliveries have failed. All six are linked to the one that sent the job.
    const deliveries = messaging
      .filter(({ name, attributes }) => name === 'process payment' && attributes['order.id'] === 'order-4')
      .sort((a, b) => a.startMs - b.startMs)
    expect(deliveries.map(({ failed }) => failed)).toEqual([true, true, true, true, true, false])
    expect(deliveries.map(({ attributes }) => attributes['messaging.bullmq.delivery'])).toEqual([1, 2, 3, 4, 5, 6])
    const sender = messaging.find(
      ({ name, attributes }) => name === 'add payment' && attributes['messaging.message.id'] === 'order-4.job',
    )
    for (const { links, parentId, attributes } of deliveries) {
      expect(links).toEqual([{ traceId: sender?.traceId, spanId: sender?.spanId }])
      expect(parentId).toBe(undefined)
      expect(attributes['customer.tier']).toBe('standard')
    }
    expect(new Set(deliveries.map(({ traceId }) => traceId)).size).toBe(6)
    expect(receiver.spans.filter(({ failed, kind }) => failed && kind === 'consumer')).toHaveLength(5)
    // The Redis commands are there, but their values are not.
    expect(JSON.stringify(receiver.spans)).not.toMatch(/"cents|refused"/)
    expect(await done.leftBehind()).toEqual([])
  })
})

describe('wrong options', () => {
  it('are refused in one line', async () => {
    expect((await runHere(trace, '--help')).stdout).toMatch(/--order/)
    expect(await runHere(trace, '--order', '50')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--order: received "50"; accepts a whole number up to --orders, 40/),
    })
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', 'tempo')
    const refused = await runHere(trace)
    vi.unstubAllEnvs()
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/OTEL_EXPORTER_OTLP_ENDPOINT: received "tempo"; accepts an http or https URL/),
    })
  })
})
