/** The example metrics as a reader runs it, without Prometheus and with it. */
import { join } from 'node:path'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { type RunOptions, runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { findPrometheus, installPrometheus } from '../../src/metrics/prometheus.ts'
import { checkChanged } from './changed-rules.ts'

const chapter = join(import.meta.dirname, '../..')
const run = (args: string[], options?: RunOptions) => runExample(chapter, 'metrics', args, options)
const redis = await findRedisServer()
const prometheus = await findPrometheus()

describeReal('promtool', { name: 'Prometheus', found: prometheus, install: installPrometheus }, () => {
  it.each([
    ['max_over_time(up[2s]) == 0\n        for', 'up == 0\n        for'],
    ['by (role) (max_over_time(up[2s])) == 0', 'by (role) (up) == 2'],
    ['unless up', 'unless vector(1)'],
    ['absent(up{role="front"})', 'absent(up{role="rear"})'],
    ['pipeline:job_failures:ratio > 0.3', 'pipeline:job_failures:ratio > 0.9'],
    ['> 12', '> 4'],
    ['min by (queue)', 'max by (queue)'],
    ['max_over_time(pipeline_step_oldest_seconds[2s])', 'pipeline_step_oldest_seconds'],
    ['> 5\n', '> 4\n'],
    ['[6s]', '[1s]'],
    ['pipeline_redis_up[2s]', 'pipeline_redis_up[10s]'],
  ])('finds the changed rule: %s → %s', async (from, to) => {
    await expect(checkChanged(from, to)).rejects.toThrow(/^promtool test rules/)
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
    const done = await run(['--quick', '--seconds', '3', '--json'], { env })
    const result = done.json<Result>()
    expect(result).toMatchObject({ scraper: 'own', orders: 360, alerts: [] })
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
})
