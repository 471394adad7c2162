/** monitor by its result, and as a reader runs it. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { afterEach, expect, it, vi } from 'vitest'
import monitor from '../../examples/monitor.ts'
import { describeRedis } from '../fixtures/layer.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

describeRedis('monitor', () => {
  afterEach(() => void vi.unstubAllEnvs())

  it('starts what it needs, shows it, and ends by itself', async () => {
    vi.stubEnv('REDIS_URL', undefined)
    const result = await monitor.run({ seconds: 2 })
    expect(result).toMatchObject({ workers: [{ queues: ['default'] }, {}], queues: [{ queue: 'default' }] })
    expect(result.sent).toBeGreaterThan(0)
    // One of 25 tasks stumbles, the first one included.
    expect(result.queues[0]?.failed).toBeGreaterThan(0)
    await expect(fetch(result.url)).rejects.toThrow('fetch failed')
  })

  it('ends at Ctrl-C and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'monitor', [], { env: { REDIS_URL: undefined }, interruptWhen: /done\/s/ })
    expect(run.code).toBe(130)
    expect(await run.leftBehind(10_000)).toEqual([])
  })
})
