/** The example throughput by its result, in this process. */
import { costOf, paysFrom } from '@repo/common/cost'
import { startRedis } from '@repo/common/servers/redis'
import { runHere } from '@repo/common/testing/run-here'
import { describeReal } from '@repo/common/testing/vitest'
import { Redis } from 'ioredis'
import { afterEach, expect, it, vi } from 'vitest'
import throughput from '../../examples/throughput.ts'
import { findPython, installPython } from '../../src/celery/python.ts'
import { describeRedis } from '../fixtures/layer.ts'

const celery = { name: 'Celery', found: await findPython('celery'), install: installPython.celery }

afterEach(() => void vi.unstubAllEnvs())

describeRedis('throughput', () => {
  describeReal('beside Celery', celery, () => {
    it('measures all of them, and its ratios are theirs', async () => {
      await using server = await startRedis({ own: true })
      vi.stubEnv('REDIS_URL', server.url)
      const result = await throughput.run({ tasks: 200, rounds: 1, workers: 1 })
      const { ways, layerToBare, layerToCelery, lengths } = result
      const [counted, told, layer, peer] = ways.map(({ perSecond }) => perSecond)
      expect(layerToBare).toBeCloseTo((layer ?? 0) / Math.max(counted ?? 0, told ?? 0), 6)
      expect(layerToCelery).toBeCloseTo((layer ?? 0) / (peer ?? 0), 6)
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

  it('without Celery measures the others, and says how to install it', async () => {
    await using server = await startRedis({ own: true })
    vi.stubEnv('REDIS_URL', server.url)
    vi.stubEnv('PEERS_PYTHON', '/no/python')
    const { code, stdout } = await runHere(throughput, '--tasks', '10', '--rounds', '1', '--workers', '1')
    expect(code).toBe(0)
    expect(stdout).toContain(`No Python here has Celery: ${installPython.celery}.`)
    expect(stdout).toContain('the typed layer')
    expect(stdout).not.toMatch(/^Celery \d/m)
  })
})
