/** What reaches the next process: through a header, and through a queue with a real Redis. */
import { context, propagation, SpanKind, trace } from '@opentelemetry/api'
import { findRedisServer, installRedis, startRedis } from '@repo/common/servers/redis'
import { runHere } from '@repo/common/testing/run-here'
import { describeReal } from '@repo/common/testing/vitest'
import { Queue, Worker } from 'bullmq'
import { afterEach, describe, expect, it, vi } from 'vitest'
import endless from '../../examples/endless.ts'
import sampling from '../../examples/sampling.ts'
import { connectionTo } from '../../src/pipeline/queues.ts'
import { type Span, startCollector } from '../../src/traces/collector.ts'
import { wholeness } from '../../src/traces/waterfall.ts'
import { messagingTelemetry, type Tracing } from '../../src/watch/messaging.ts'
import { startTracing, watchTraces } from '../../src/watch/traces.ts'

afterEach(() => vi.unstubAllEnvs())

describe('a request', () => {
  const traceparent = (flags: '00' | '01') => `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-${flags}`

  it.each([
    ['the known entry of the baggage', 'customer.tier=gold', '01', [['customer.tier', 'gold']]],
    ['also of one that is not recorded', 'customer.tier=gold', '00', [['customer.tier', 'gold']]],
    ['nothing that a stranger adds', 'password=sesame,customer.tier=gold,x=y', '01', [['customer.tier', 'gold']]],
    ['no value of another form', 'customer.tier=Gold%20%3Cb%3E', '01', undefined],
    ['no long value', `customer.tier=${'a'.repeat(17)}`, '01', undefined],
    ['nothing where there is none', undefined, '01', undefined],
  ] as const)('hands on %s', async (_, baggage, flags, wanted) => {
    await using collector = await startCollector()
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', collector.endpoint)
    vi.stubEnv('REDIS_URL', 'redis://127.0.0.1:1')
    const { around, close } = watchTraces({ name: 'front', kind: 'front', now: Date.now, prefix: 'p' }, { share: 1 })
    const step = { kind: 'request', name: 'POST /orders', traceparent: traceparent(flags), baggage } as const
    const entries = await around?.(step, async () =>
      propagation
        .getActiveBaggage()
        ?.getAllEntries()
        .map(([key, { value }]) => [key, value]),
    )
    await close?.()
    expect(entries).toEqual(wanted)
    expect(collector.spans.map(({ name, attributes }) => [name, attributes['customer.tier']])).toEqual(
      flags === '01' ? [['POST /orders', wanted?.[0][1]]] : [],
    )
  })
})

const real = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }
describeReal('a queue', real, () => {
  /** Sends jobs, each from a trace of its own and delivered twice. Returns the spans, and the tiers that arrived. */
  async function deliver(jobs: number, { share, ...how }: Tracing): Promise<{ spans: Span[]; tiers: string[] }> {
    await using redis = await startRedis()
    await using collector = await startCollector()
    const tracing = startTracing('test', { share, ...how }, collector.endpoint)
    const connection = connectionTo(redis.url)
    const telemetry = messagingTelemetry(how, redis.url)
    const queue = new Queue('q', { connection, telemetry })
    const tiers: string[] = []
    const worker = new Worker(
      'q',
      async ({ attemptsStarted }) => {
        const tier = propagation.getActiveBaggage()?.getEntry('customer.tier')?.value ?? 'none'
        tiers.push(`${tier} ${attemptsStarted}`)
        if (attemptsStarted === 1) throw new Error('once more')
      },
      { connection, telemetry, concurrency: 4 },
    )
    const done = new Set<string | undefined>()
    const all = new Promise<void>((resolve) =>
      worker.on('completed', ({ id }) => done.add(id).size === jobs && resolve()),
    )
    const baggage = propagation.createBaggage({ 'customer.tier': { value: 'gold' } })
    for (let at = 0; at < jobs; at++)
      await trace
        .getTracer('test')
        .startActiveSpan(
          'begin',
          { kind: SpanKind.CLIENT },
          propagation.setBaggage(context.active(), baggage),
          (span) => queue.add('job', at, { attempts: 2 }).finally(() => span.end()),
        )
    await all
    await worker.close()
    await queue.close()
    await tracing.close()
    return { spans: collector.spans, tiers: tiers.sort() }
  }
  const named = (spans: readonly Span[], name: string) => spans.filter((span) => span.name === name)
  const both = (jobs: number) => [...Array(jobs).fill('gold 1'), ...Array(jobs).fill('gold 2')]

  it('links each delivery to the span that sent the job, and hands the baggage to each', async () => {
    const { spans, tiers } = await deliver(3, { share: 1 })
    expect(tiers).toEqual(both(3))
    expect(wholeness(spans)).toEqual({ traces: 9, halves: 0, links: 6, loose: 0 })
    for (const { traceId, spanId } of named(spans, 'add q'))
      expect(named(spans, 'process q').filter(({ links }) => links[0]?.spanId === spanId)).toMatchObject([
        { parentId: undefined, links: [{ traceId }] },
        { parentId: undefined, links: [{ traceId }] },
      ])
  })

  it('has each delivery below the span that sent the job, with --parent, and still a link', async () => {
    const { spans, tiers } = await deliver(3, { share: 1, parent: true })
    expect(tiers).toEqual(both(3))
    expect(wholeness(spans)).toEqual({ traces: 3, halves: 0, links: 6, loose: 0 })
    for (const { parentId, links } of named(spans, 'process q')) expect(links[0]?.spanId).toBe(parentId)
  })

  it('records whole orders where the first trace decides, and whole traces where each does', async () => {
    const jobs = 40
    for (const how of [{}, { parent: true }]) {
      const { spans, tiers } = await deliver(jobs, { share: 0.5, ...how })
      const recorded = named(spans, 'begin').length
      // All or none of forty is as likely as a coin that falls on one side forty times.
      expect(recorded).toBeGreaterThan(0)
      expect(recorded).toBeLessThan(jobs)
      expect(named(spans, 'process q')).toHaveLength(2 * recorded)
      expect(wholeness(spans)).toMatchObject({ halves: 0, loose: 0 })
      // What is not recorded has its baggage all the same.
      expect(tiers).toEqual(both(jobs))
    }
    const { spans, tiers } = await deliver(jobs, { share: 0.5, each: true })
    const { traces, halves, links, loose } = wholeness(spans)
    expect(halves).toBe(0)
    expect(traces).toBe(named(spans, 'begin').length + links)
    expect(loose).toBeGreaterThan(0)
    expect(loose).toBeLessThan(links)
    expect(tiers).toEqual(both(jobs))
  })

  it('carries nothing for what is neither recorded nor has baggage', async () => {
    await using redis = await startRedis()
    const queue = new Queue('q', {
      connection: connectionTo(redis.url),
      telemetry: messagingTelemetry({}, redis.url),
    })
    const job = await queue.add('job', 1)
    expect(job.opts.telemetry).toBe(undefined)
    await queue.close()
  })

  it('makes an endless trace of a job that sends its successor, or a trace for each round', async () => {
    const done = await runHere(endless, '--rounds', '12', '--json')
    expect(JSON.parse(done.stdout)).toMatchObject({
      rounds: 12,
      chains: [
        { rounds: 1, parent: { traces: 1, spans: 4, deepest: 3 }, link: { traces: 2, spans: 2, deepest: 1 } },
        { rounds: 10, parent: { traces: 1, spans: 31, deepest: 21 }, link: { traces: 11, spans: 3, deepest: 1 } },
        { rounds: 12, parent: { traces: 1, spans: 37, deepest: 25 }, link: { traces: 13, spans: 3, deepest: 1 } },
      ],
    })
  })
})

describe('wrong options', () => {
  it.each([
    [endless, ['--rounds', '0'], /--rounds: received "0"; accepts a whole number from 1 to 2,?000/],
    [sampling, ['--share', '2'], /--share: received "2"; accepts a number from 0 to 1/],
  ] as const)('are refused in one line', async (example, args, says) => {
    expect(await runHere(example, ...args)).toMatchObject({ code: 2, stderr: expect.stringMatching(says) })
  })
})
