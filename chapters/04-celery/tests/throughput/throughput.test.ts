/** The example throughput as a reader runs it. */
import { fileURLToPath } from 'node:url'
import { startRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { findPython } from '../../src/celery/python.ts'
import { describeRedis } from '../fixtures/layer.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

describeRedis('throughput', () => {
  it('measures all that are there, and its ratios are theirs', async () => {
    const args = ['--json', '--tasks', '200', '--rounds', '1', '--workers', '1']
    await using server = await startRedis({ own: true })
    const run = await runExample(chapter, 'throughput', args, { env: { REDIS_URL: server.url } })
    expect(run).toMatchObject({ code: 0 })
    interface Throughput {
      ways: { name: string; perSecond: number }[]
      layerToBare: number
      layerToCelery: number | null
    }
    const { ways, layerToBare, layerToCelery } = run.json<Throughput>()
    const [counted, told, layer, celery] = ways.map(({ perSecond }) => perSecond)
    expect(layerToBare).toBeCloseTo((layer ?? 0) / Math.max(counted ?? 0, told ?? 0), 6)
    if (await findPython('celery')) expect(layerToCelery).toBeCloseTo((layer ?? 0) / (celery ?? 0), 6)
    else expect([layerToCelery, celery]).toEqual([null, undefined])
    expect(await run.leftBehind()).toEqual([])
    const redis = new Redis(server.url)
    expect(await redis.keys('*').finally(() => redis.disconnect())).toEqual([])
  })
})
