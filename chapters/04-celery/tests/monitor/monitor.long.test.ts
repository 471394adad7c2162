/** monitor by its result, and as a reader runs it. */
import { fileURLToPath } from 'node:url'
import { until } from '@repo/common/async/until'
import { runExample } from '@repo/common/testing/testing'
import { afterEach, expect, it, vi } from 'vitest'
import monitor from '../../examples/monitor.ts'
import { describeRedis } from '../fixtures/layer.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

describeRedis('monitor', () => {
  afterEach(() => void vi.unstubAllEnvs())

  it('starts what it needs, shows it, and ends by itself', async () => {
    vi.stubEnv('REDIS_URL', undefined)
    // One of 25 tasks stumbles, the first one included. On a busy machine the time may be up before it has.
    const result = await until(
      async () => {
        const result = await monitor.run({ seconds: 2 })
        return result.queues[0]?.failed ? result : undefined
      },
      { timeoutMs: 100_000, what: 'a task that stumbles' },
    )
    expect(result).toMatchObject({ workers: [{ queues: ['default'] }, {}], queues: [{ queue: 'default' }] })
    expect(result.sent).toBeGreaterThan(0)
    await expect(fetch(result.url)).rejects.toThrow('fetch failed')
  })

  it('ends at Ctrl-C and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'monitor', [], { env: { REDIS_URL: undefined }, interruptWhen: /done\/s/ })
    expect(run.code).toBe(130)
    expect(await run.leftBehind()).toEqual([])
  })
})
