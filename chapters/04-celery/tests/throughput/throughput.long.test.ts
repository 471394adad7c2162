/** The example throughput by its result, in this process. */
import { costOf, paysFrom } from '@repo/common/cost'
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
    const result = await throughput.run({ tasks: 200, rounds: 1, workers: 1 })
    const { ways, layerToBare, layerToCelery, lengths } = result
    const [counted, told, layer, celery] = ways.map(({ perSecond }) => perSecond)
    expect(layerToBare).toBeCloseTo((layer ?? 0) / Math.max(counted ?? 0, told ?? 0), 6)
    if (await findPython('celery')) expect(layerToCelery).toBeCloseTo((layer ?? 0) / (celery ?? 0), 6)
    else expect([layerToCelery, celery]).toEqual([null, undefined])
    // Nothing in a process takes as long as the same in another one.
    expect(result).toMatchObject({ bestSerialMs: expect.any(Number), cost: 'not up to 1' })
    expect(lengths.map(({ iterations, tasks }) => [iterations, tasks])).toEqual([
      [1, 200],
      [100, 100],
      [300, 40],
      [1_000, 20],
      [3_000, 10],
      [10_000, 5],
    ])
    for (const { bestSerialMs, cost, tasks, taskMs, ms } of lengths) {
      expect({ bestSerialMs, cost }).toEqual(costOf(bestSerialMs, [{ workers: 1, ms }]))
      expect(taskMs).toBeCloseTo(bestSerialMs / tasks, 9)
    }
    expect(result.paysFromMs).toBe(paysFrom(lengths)?.taskMs ?? null)
    const redis = new Redis(server.url)
    expect(await redis.keys('*').finally(() => redis.disconnect())).toEqual([])
  })
})
