/** Two whole pipelines at once. What overhead switches on is shown for itself: logs, metrics, trace. */
import { join } from 'node:path'
import { type Cost, costOf } from '@repo/common/cost'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'

const chapter = join(import.meta.dirname, '../..')

describeReal('overhead', { name: 'a Redis server', found: await findRedisServer(), install: installRedis }, () => {
  it('compares two pipelines in turn', async () => {
    const args = ['--quick', '--orders', '30', '--rounds', '1', '--share', '1', '--json']
    const done = await runExample(chapter, 'overhead', args)
    const result = done.json<Cost & { watchingCosts: number[]; spans: number; barePerSecond: number }>()
    expect(result).toMatchObject({ orders: 30, rounds: 1, share: 1, watch: ['logs', 'metrics', 'traces'] })
    expect(result.watchingCosts.length).toBe(2)
    const pipeline = { workers: 5, ms: 30_000 / result.barePerSecond }
    expect(result).toMatchObject(costOf(result.bestSerialMs, [pipeline]))
    expect(result.spans).toBeGreaterThan(3 * 30)
    expect(await done.leftBehind()).toEqual([])
  })
})
