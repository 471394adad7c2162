import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { drawFrom } from '@repo/common/async/random'
import { until } from '@repo/common/async/until'
import { temporaryFolder } from '@repo/common/process/temporary'
import { runHere } from '@repo/common/testing/run-here'
import { describeReal } from '@repo/common/testing/vitest'
import { describe, expect, it, vi } from 'vitest'
import metrics from '../../examples/metrics.ts'
import overhead from '../../examples/overhead.ts'
import { checkRules, findPrometheus, installPrometheus, rulesFile } from '../../src/metrics/prometheus.ts'
import { histogramQuantile, largest, parseMetrics, rate, type Scrape, scrape } from '../../src/metrics/scraper.ts'
import { checkChanged } from './changed-rules.ts'

const prometheus = await findPrometheus()
const parsed = (ms: number, text: string): Scrape => ({ ms, samples: parseMetrics(text) })

it.each([
  ['own', '0 curves, no alerts: Prometheus was left out'],
  ['prometheus', '0 curves, 0 alerts'],
])('with the scraper "%s" it tells the tour of %s', (scraper, told) => {
  expect(metrics.figure({ scraper, orders: 1, ms: 1, signals: [], alerts: [], points: 0 })).toBe(told)
})

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

  it('computes rates, even across restarts of processes; what is new has no rate yet', () => {
    const scrapes = [
      parsed(0, 'n{process="a",kind="job"} 10\nn{process="b",kind="job"} 100'),
      parsed(2_000, 'n{process="a",kind="job"} 30\nn{process="b",kind="job"} 4\nn{process="c",kind="x"} 7'),
    ]
    // Two seconds are seen of three. The series reach no further back than where they were 0.
    expect(rate(scrapes, 'n', { process: 'a' })).toBeCloseTo(20 / 2)
    expect(rate(scrapes, 'n', { process: 'b' })).toBeCloseTo((4 * (3 / 2)) / 3)
    expect(rate(scrapes, 'n', { process: 'c' })).toBeNaN()
    expect(largest(scrapes[1], 'n')).toBe(30)
    expect(largest(scrapes[1], 'nothing')).toBe(0)
  })

  it('computes quantiles as histogram_quantile does', () => {
    const none = parsed(0, 'h_bucket{le="0.1"} 0\nh_bucket{le="0.2"} 0\nh_bucket{le="+Inf"} 0')
    const some = parsed(1_000, 'h_bucket{le="0.1"} 50\nh_bucket{le="0.2"} 90\nh_bucket{le="+Inf"} 100')
    expect(histogramQuantile(0.5, [none, some], 'h', {})).toBeCloseTo(0.1)
    expect(histogramQuantile(0.7, [none, some], 'h', {})).toBeCloseTo(0.15)
    expect(histogramQuantile(0.99, [none, some], 'h', {})).toBeCloseTo(0.2)
    expect(histogramQuantile(0.5, [some, { ...some, ms: 2_000 }], 'h', {})).toBeNaN()
    expect(histogramQuantile(0.5, [], 'h', {})).toBeNaN()
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
    // On a busy machine the one that is there may be late.
    const samples = await until(async () => {
      const { samples } = await scrape(folder.path)
      return samples.some(({ name }) => name === 'up_since') ? samples : undefined
    })
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
    expect(await checkRules()).toBe('12 rules checked, their tests passed')
  })

  it('computes the same rates as our scraper: with missed scrapes, restarts, and series that are born and die', async () => {
    const { whole, share } = drawFrom(7)
    const missed = undefined
    const written: (number | undefined)[][] = [
      [0, 5, 10, 15, 20, 25, 30, 35, 40],
      [1_000, 1_005, missed, missed, 1_020, 1_025, 1_030, 1_035, 1_040],
      [missed, missed, missed, missed, missed, 5_000, 5_005, 5_010, 5_015],
      [missed, missed, missed, missed, missed, missed, missed, missed, 5_000],
      [900, 910, 920, 930, 3, 13, 23, 33, 43],
      [900, 910, 920, 930, 940, missed, missed, missed, missed],
    ]
    while (written.length < 40) {
      let value = whole(0, 1_000)
      const step = () => {
        value = share() < 0.1 ? whole(0, 5) : value + whole(0, 50)
        return share() < 0.3 ? missed : value
      }
      written.push(Array.from({ length: 9 }, step))
    }
    const scrapes = Array.from({ length: 9 }, (_, at) => ({
      ms: 500 * at,
      samples: written.flatMap((values, series) => {
        const value = values[at]
        return value === undefined ? [] : [{ name: 'n', labels: { series: String(series) }, value }]
      }),
    }))
    const expected = written.map((_, series) => rate(scrapes, 'n', { series: String(series) }, 2_900))
    await using folder = await temporaryFolder()
    const tests = join(folder.path, 'rates.test.yml')
    // JSON is YAML.
    const test = {
      interval: '500ms',
      input_series: written.map((values, series) => ({
        series: `n{series="${series}"}`,
        values: values.map((value) => value ?? '_').join(' '),
      })),
      promql_expr_test: expected.map((value, series) => ({
        expr: `abs(rate(n{series="${series}"}[2900ms]) - ${value}) < bool 1e-9`,
        eval_time: '4s',
        exp_samples: Number.isNaN(value) ? [] : [{ labels: `{series="${series}"}`, value: 1 }],
      })),
    }
    await writeFile(tests, JSON.stringify({ rule_files: [rulesFile], evaluation_interval: '500ms', tests: [test] }))
    expect(await checkRules(rulesFile, tests)).toMatch(/their tests passed$/)
    expect(expected.filter(Number.isNaN).length).toBeGreaterThan(0)
  })

  it('finds a rule that no longer fires, and one that cannot be parsed', async () => {
    for (const [from, to] of [
      ['> 1\n', '> 10\n'],
      ['sum by (le)', 'sum by le)'],
    ] as const)
      await expect(checkChanged(from, to), `${from} → ${to}`).rejects.toThrow(/^promtool (check|test) rules/)
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
    vi.stubEnv('PATH', '/nowhere')
    const refused = await runHere(metrics, '--scraper', 'prometheus')
    vi.unstubAllEnvs()
    expect(refused).toMatchObject({
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
