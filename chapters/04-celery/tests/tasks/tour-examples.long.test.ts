/** Limits and retries, which show more of what the tests of workers show; and echo interrupted. */
import { readFile } from 'node:fs/promises'
import { costOf } from '@repo/common/cost'
import { runExample } from '@repo/common/testing/testing'
import { leavesNothingRunning } from '@repo/common/testing/vitest'
import { beforeEach, expect, it, vi } from 'vitest'
import limits from '../../examples/limits.ts'
import retries from '../../examples/retries.ts'
import { describeRedis } from '../fixtures/layer.ts'

const chapter = new URL('../..', import.meta.url).pathname

describeRedis('echo', () => {
  it('ends with Ctrl-C and leaves nothing running', async () => {
    const run = await runExample(chapter, 'echo', ['--times', '10000'], { interruptWhen: /received:/ })
    expect(run.code).toBe(130)
    expect(await run.leftBehind()).toEqual([])
  })
})

describeRedis('a short run', () => {
  leavesNothingRunning()
  beforeEach(() => void vi.stubEnv('REDIS_URL', undefined))

  it('limits: keeps the rate, the places and the time', async () => {
    const { rate, concurrency, time, bestSerialMs, cost } = await limits.run({ tasks: 24 })
    expect(rate.byWorker.reduce((sum, of) => sum + of, 0)).toBe(24)
    // 24 starts, 50 ms apart, minus the delay of the first one. No upper bound: the machine may be slow.
    expect(rate.spanMs).toBeGreaterThan(600)
    expect(concurrency.map(({ places }) => places)).toEqual([2, 8, 32])
    for (const { places, ms } of concurrency) expect(ms).toBeGreaterThanOrEqual(Math.ceil(24 / places) * 45)
    // The event loop of one thread waits as long as one task.
    expect(bestSerialMs).toBeGreaterThan(45)
    const runs = concurrency.map(({ places: workers, ms }) => ({ workers, ms }))
    expect(cost).toBe(costOf(bestSerialMs, runs).cost)
    expect(time.map(({ ended }) => ended.replace(/\d+/, 'N'))).toEqual([
      '{"items":N,"because":"SoftTimeLimitExceeded"}',
      ...Array(3).fill('TimeLimitExceeded'),
    ])
  })

  it('retries: serves every task, with fewer calls when they are spread', async () => {
    const { policies, picture, ...rest } = await retries.run({ tasks: 30 })
    expect(rest).toMatchObject({ tasks: 30, calls: 6, windowMs: 100, leastMs: 400 })
    expect(policies.map(({ name }) => name)).toEqual(['no jitter', 'full jitter'])
    // How many calls are in vain depends on how close together they come, so it depends on the machine.
    for (const { tries, inVain } of policies) expect(inVain).toBe(tries - 30)
    expect(await readFile(picture, 'utf8')).toContain('turned away')
  })
})
