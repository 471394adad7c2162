import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { type Cost, costOf } from '@repo/common/cost'
import { temporaryFolder } from '@repo/common/process/temporary'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { type RunOptions, runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import metrics from '../../examples/metrics.ts'
import overhead from '../../examples/overhead.ts'
import { checkRules, findPrometheus, installPrometheus, rulesFile } from '../../src/metrics/prometheus.ts'
import { histogramQuantile, largest, parseMetrics, rate, type Scrape, scrape } from '../../src/metrics/scraper.ts'

const chapter = join(import.meta.dirname, '../..')
const run = (args: string[], options?: RunOptions) => runExample(chapter, 'metrics', args, options)
const redis = await findRedisServer()
const prometheus = await findPrometheus()
const parsed = (ms: number, text: string): Scrape => ({ ms, samples: parseMetrics(text) })

describe('our own scraper', () => {
  it('reads the text format', () => {
    const text =
      '# HELP a b\n# TYPE a counter\na 1\na{x="1",y="q\\"\\n\\\\"} 2.5e3 1700000000\nb_bucket{le="+Inf"} +Inf\n\n!\n'
    expect(parseMetrics(text)).toEqual([
      { name: 'a', labels: {}, value: 1 },
      { name: 'a', labels: { x: '1', y: 'q"\n\\' }, value: 2500 },
      { name: 'b_bucket', labels: { le: '+Inf' }, value: Number.POSITIVE_INFINITY },
    ])
  })

  it('computes rates, even across restarts of processes', () => {
    const before = parsed(0, 'n{process="a",kind="job"} 10\nn{process="b",kind="job"} 100')
    const after = parsed(2_000, 'n{process="a",kind="job"} 30\nn{process="b",kind="job"} 4\nn{process="c",kind="x"} 7')
    expect(rate(before, after, 'n', { kind: 'job' })).toBe((20 + 4) / 2)
    expect(rate(before, after, 'n', { process: 'c' })).toBe(3.5)
    expect(largest(after, 'n')).toBe(30)
    expect(largest(after, 'nothing')).toBe(0)
  })

  it('computes quantiles as histogram_quantile does', () => {
    const none = parsed(0, '')
    const some = parsed(1_000, 'h_bucket{le="0.1"} 50\nh_bucket{le="0.2"} 90\nh_bucket{le="+Inf"} 100')
    expect(histogramQuantile(0.5, none, some, 'h', {})).toBeCloseTo(0.1)
    expect(histogramQuantile(0.7, none, some, 'h', {})).toBeCloseTo(0.15)
    expect(histogramQuantile(0.99, none, some, 'h', {})).toBeCloseTo(0.2)
    expect(histogramQuantile(0.5, some, { ...some, ms: 2_000 }, 'h', {})).toBeNaN()
  })

  it('finds its targets as Prometheus does, and says which are down', async () => {
    await using folder = await temporaryFolder()
    const server = createServer((_, response) => response.end('up_since 5\n')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const target = (process: string, port: unknown) =>
      writeFile(
        join(folder.path, `${process}.json`),
        JSON.stringify([{ targets: [`127.0.0.1:${port}`], labels: { process } }]),
      )
    await target('there', typeof address === 'object' ? address?.port : 0)
    await target('gone', 1)
    const { samples } = await scrape(folder.path)
    server.close()
    expect(samples).toEqual(
      expect.arrayContaining([
        { name: 'up', labels: { process: 'gone' }, value: 0 },
        { name: 'up', labels: { process: 'there' }, value: 1 },
        { name: 'up_since', labels: { process: 'there' }, value: 5 },
      ]),
    )
  })
})

describeReal('promtool', { name: 'Prometheus', found: prometheus, install: installPrometheus }, () => {
  it('accepts the rules, and their tests pass', async () => {
    expect(await checkRules()).toBe('7 rules checked, their tests passed')
  })

  it('finds a rule that no longer fires, and one that cannot be parsed', async () => {
    await using folder = await temporaryFolder()
    const rules = await readFile(rulesFile, 'utf8')
    const tests = await readFile(join(chapter, 'src/metrics/rules.test.yml'), 'utf8')
    const broken = [join(folder.path, 'rules.yml'), join(folder.path, 'rules.test.yml')] as const
    await writeFile(broken[1], tests)
    for (const [from, to] of [
      ['up == 0', 'up == 2'],
      ['> 0.3', '> 0.9'],
      ['> 1\n', '> 10\n'],
      ['> 0.2', '> 2'],
      ['sum by (le)', 'sum by le)'],
    ] as const) {
      expect(rules).toContain(from)
      await writeFile(broken[0], rules.replace(from, to))
      await expect(checkRules(...broken), `${from} → ${to}`).rejects.toThrow(/^promtool (check|test) rules/)
    }
  })
})

describeReal('the example', { name: 'a Redis server', found: redis, install: installRedis }, () => {
  interface Result {
    scraper: string
    orders: number
    points: number
    signals: { panel: string; name: string; before: number; during: number; after: number }[]
    alerts: { name: string }[]
  }
  const signal = ({ signals }: Result, name: string) => signals.find((each) => each.name === name)

  it('shows what a missing worker does, without Prometheus', async () => {
    // Only what is needed is on PATH: the example goes on without Prometheus.
    const env = { PATH: '/nowhere', REDIS_SERVER: redis?.path }
    const done = await run(['--quick', '--json'], { env })
    const result = done.json<Result>()
    expect(result).toMatchObject({ scraper: 'own', orders: 480, alerts: [] })
    expect(new Set(result.signals.map(({ panel }) => panel))).toEqual(
      new Set(['latency', 'traffic', 'errors', 'saturation']),
    )
    expect(signal(result, 'waiting orders')?.during).toBeGreaterThan(0)
    expect(signal(result, 'waiting orders')?.after).toBe(0)
    expect(signal(result, 'event loops late, ms')?.during).toBeGreaterThan(0)
    expect(await done.leftBehind()).toEqual([])
  })

  describeReal('with Prometheus', { name: 'Prometheus', found: prometheus, install: installPrometheus }, () => {
    it('lets it fetch and record the metrics of every process, and alert', async () => {
      const done = await run(['--seconds', '9', '--json'])
      const result = done.json<Result>()
      expect(result.scraper).toBe('prometheus')
      expect(signal(result, 'orders taken')?.during).toBeGreaterThan(0)
      expect(signal(result, 'jobs, 95 %')?.during).toBeGreaterThan(0.02)
      expect(signal(result, 'jobs that failed')?.during).toBeGreaterThan(0)
      expect(signal(result, 'waiting orders')?.during).toBeGreaterThan(0)
      expect(result.alerts.map(({ name }) => name)).toContain('ProcessDown')
      expect(await done.leftBehind()).toEqual([])
    })
  })

  it('and overhead compares two pipelines in turn', async () => {
    const done = await runExample(chapter, 'overhead', [
      '--quick',
      '--orders',
      '30',
      '--rounds',
      '1',
      '--share',
      '1',
      '--json',
    ])
    const result = done.json<Cost & { watchingCosts: number[]; spans: number; barePerSecond: number }>()
    expect(result).toMatchObject({ orders: 30, rounds: 1, share: 1, watch: ['logs', 'metrics', 'traces'] })
    expect(result.watchingCosts.length).toBe(2)
    const pipeline = { workers: 5, ms: 30_000 / result.barePerSecond }
    expect(result).toMatchObject(costOf(result.bestSerialMs, [pipeline]))
    expect(result.spans).toBeGreaterThan(3 * 30)
    expect(await done.leftBehind()).toEqual([])
  })
})

describe('wrong options', () => {
  it('are refused in one line', async () => {
    for (const [options, says] of [
      [{ rate: '0' }, /--rate: received "0"; accepts a number from 1 to 1000/],
      [{ scraper: 'curl' }, /--scraper: received "curl"; accepts one of auto, prometheus, own/],
      [{ rate: '1000', seconds: '600' }, /--seconds: received "600"; accepts at most 20 at --rate 1000/],
    ] as const) {
      await expect(metrics.run(options as object)).rejects.toThrow(says)
    }
    expect(await run(['--scraper', 'prometheus'], { env: { PATH: '/nowhere' } })).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(
        /^error: --scraper: received "prometheus"; accepts auto or own where .*apt-get.*\n$/,
      ),
    })
    await expect(overhead.run({ watch: 'all' } as object)).rejects.toThrow(
      /--watch: received "all"; accepts names out of logs, metrics, traces/,
    )
  })
})
