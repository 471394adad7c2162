/** What the processes of the pipeline say about themselves, and what they say when Redis says nothing. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '@repo/common/async/until'
import { temporaryFolder } from '@repo/common/process/temporary'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { findPrometheus, installPrometheus } from '../../src/metrics/prometheus.ts'
import { parseMetrics } from '../../src/metrics/scraper.ts'
import { ordersOf, placeOrders, plenty } from '../../src/pipeline/load.ts'
import { startPipeline } from '../../src/pipeline/pipeline.ts'
import { observed } from '../../src/watch/observe.ts'

const redis = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }
const prometheus = await findPrometheus()

/** Returns the metrics of each process by its name, as text. */
async function metricsOf(folder: string): Promise<Map<string, string>> {
  const texts = (await readdir(folder)).map(async (file) => {
    const [target] = JSON.parse(await readFile(join(folder, file), 'utf8'))
    const response = await fetch(`http://${target.targets[0]}/metrics`, { signal: AbortSignal.timeout(20_000) })
    expect(response.status).toBe(200)
    return [target.labels.process as string, await response.text()] as const
  })
  return new Map(await Promise.all(texts))
}

/** The same, once Redis has answered each process in time: on a busy machine it may be late. */
async function completeMetricsOf(folder: string): Promise<Map<string, string>> {
  const isComplete = (text: string) => /^pipeline_redis_up 1$/m.test(text) && /^pipeline_queue_depth\{/m.test(text)
  return await until(async () => {
    const metrics = await metricsOf(folder)
    return [...metrics.values()].every(isComplete) ? metrics : undefined
  })
}

/** Has promtool check metrics; fulfilled when there is nothing to complain about. */
async function lint(text: string) {
  const checking = promisify(execFile)('promtool', ['check', 'metrics'])
  checking.child.stdin?.end(text)
  return await checking
}

describeReal('the metrics of a process', redis, () => {
  it('are there from the beginning, and do not wait for Redis', async () => {
    await using folder = await temporaryFolder()
    const pipeline = await startPipeline({
      stock: plenty,
      workers: { payment: 1, shipping: 1 },
      proxied: true,
      ...observed({ metrics: folder.path }),
    })
    await using _ = pipeline
    const before = await completeMetricsOf(folder.path)
    const own = {
      front: { kind: 'request', step: 'POST /orders' },
      'payment 1': { kind: 'job', step: 'payment' },
      'shipping 1': { kind: 'job', step: 'shipping' },
    }
    expect([...before.keys()].sort()).toEqual(Object.keys(own))
    for (const [process, labels] of Object.entries(own)) {
      const samples = parseMetrics(before.get(process) ?? '')
      for (const name of [
        'pipeline_step_seconds_count',
        'pipeline_step_failures_total',
        'pipeline_step_oldest_seconds',
      ])
        expect(samples, `${name} of ${process}`).toContainEqual({ name, labels, value: 0 })
      expect(samples).toContainEqual({ name: 'pipeline_redis_up', labels: {}, value: 1 })
      const reported = samples.flatMap(({ name, labels }) => (name === 'pipeline_queue_depth' ? labels.queue : []))
      expect(reported).toEqual(process === 'front' ? ['payment', 'shipping'] : [labels.step])
      if (prometheus) expect(await lint(before.get(process) ?? '')).toEqual({ stdout: '', stderr: '' })
    }

    // Redis is still there, and says nothing.
    for (const link of pipeline.links.values()) link.block()
    for (let times = 0; times < 3; times++) {
      const meanwhile = await metricsOf(folder.path)
      expect([...meanwhile.keys()].sort()).toEqual(Object.keys(own))
      for (const [process, text] of meanwhile) {
        const samples = parseMetrics(text)
        expect(samples, process).toContainEqual({ name: 'pipeline_redis_up', labels: {}, value: 0 })
        expect(samples.filter(({ name }) => name.startsWith('pipeline_queue_'))).toEqual([])
      }
    }
    for (const link of pipeline.links.values()) link.heal()
    await placeOrders({ url: pipeline.url, orders: ordersOf(1, 2) })
    await pipeline.drained()
    const front = parseMetrics((await completeMetricsOf(folder.path)).get('front') ?? '')
    expect(front).toContainEqual({ name: 'pipeline_redis_up', labels: {}, value: 1 })
    expect(front).toContainEqual({ name: 'pipeline_step_seconds_count', labels: own.front, value: 2 })
  })
})

describeReal('promtool', { name: 'Prometheus', found: prometheus, install: installPrometheus }, () => {
  it('complains about what is not right', async () => {
    await expect(lint('# TYPE orders counter\norders 1\n')).rejects.toThrow(/no help text|_total/)
  })
})
