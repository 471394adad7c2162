/** Logs, traces and metrics: nothing is left behind after Ctrl-C, and what is missing is said in one line. */
import { join } from 'node:path'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { findPrometheus, installPrometheus } from '../../src/metrics/prometheus.ts'

const chapter = join(import.meta.dirname, '../..')
const redis = await findRedisServer()
const prometheus = { name: 'Prometheus', found: await findPrometheus(), install: installPrometheus }

describeReal('an example that watches', { name: 'a Redis server', found: redis, install: installRedis }, () => {
  it.each([
    ['logs', ['--orders', '5000', '--follow'], /order received/],
    // Long enough that Ctrl-C comes before they are done, however busy the machine is.
    ['trace', ['--orders', '2000'], /each traced/],
    ['endless', ['--rounds', '2000'], /each of which sends/],
    ['sampling', ['--orders', '5000'], /traces recorded/],
    ['metrics', ['--scraper', 'own'], /per second/],
  ])('leaves nothing behind after Ctrl-C: %s', async (name, args, interruptWhen) => {
    const stopped = await runExample(chapter, name, args, { interruptWhen })
    expect(stopped.code).toBe(130)
    expect(await stopped.leftBehind()).toEqual([])
  })

  it('says in one line that Prometheus is missing, and goes on', async () => {
    // Only what is needed is on PATH.
    const env = { PATH: '/nowhere', REDIS_SERVER: redis?.path }
    const done = await runExample(chapter, 'metrics', [], { env, interruptWhen: /per second/ })
    expect(done.code).toBe(130)
    expect(done.stdout).toMatch(
      /^Prometheus is missing: .*apt-get install prometheus.*\. The example fetches the metrics itself/m,
    )
  })

  describeReal('with Prometheus', prometheus, () => {
    it('leaves nothing behind after Ctrl-C', async () => {
      const stopped = await runExample(chapter, 'metrics', [], { interruptWhen: /per second/ })
      expect(stopped.code).toBe(130)
      expect(await stopped.leftBehind()).toEqual([])
    })
  })

  it('says in one line that the endpoint does not accept its spans, and shows them anyway', async () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }
    const done = await runExample(chapter, 'trace', ['--orders', '2'], { env })
    expect(done).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/127\.0\.0\.1:1\/v1\/traces did not take the spans: /),
    })
    expect(done.stdout).toMatch(/process shipping/)
  })
})
