/** The example throughput by its result, in this process. */
import { startRedis } from '@repo/common/servers/redis'
import { Redis } from 'ioredis'
import { afterEach, expect, it, vi } from 'vitest'
import throughput from '../../examples/throughput.ts'
import { findPython } from '../../src/celery/python.ts'
import { describeRedis } from '../fixtures/layer.ts'

afterEach(() => void vi.unstubAllEnvs())

describeRedis('throughput', () => {
  it('measures all that are there, and its ratios are theirs', async () => {
    await using server = await startRedis({ own: true })
    vi.stubEnv('REDIS_URL', server.url)
    const { ways, layerToBare, layerToCelery } = await throughput.run({ tasks: 200, rounds: 1, workers: 1 })
    const [counted, told, layer, celery] = ways.map(({ perSecond }) => perSecond)
    expect(layerToBare).toBeCloseTo((layer ?? 0) / Math.max(counted ?? 0, told ?? 0), 6)
    if (await findPython('celery')) expect(layerToCelery).toBeCloseTo((layer ?? 0) / (celery ?? 0), 6)
    else expect([layerToCelery, celery]).toEqual([null, undefined])
    const redis = new Redis(server.url)
    expect(await redis.keys('*').finally(() => redis.disconnect())).toEqual([])
  })
})
