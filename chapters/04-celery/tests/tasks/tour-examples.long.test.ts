/** The examples of the tour by their results, in this process; and echo interrupted. */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { costOf } from '@repo/common/cost'
import { processesWith } from '@repo/common/process/marked'
import { runExample } from '@repo/common/testing/testing'
import { leavesNothingRunning } from '@repo/common/testing/vitest'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import limits from '../../examples/limits.ts'
import results from '../../examples/results.ts'
import retries from '../../examples/retries.ts'
import revoke from '../../examples/revoke.ts'
import routing from '../../examples/routing.ts'
import schedule from '../../examples/schedule.ts'
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

// They mostly wait, each for servers of its own.
describeRedis('a short run, side by side,', () => {
  // One mark for all: side by side, a test cannot tell which processes are its own.
  const mark = randomUUID()
  beforeAll(() => {
    vi.stubEnv('REDIS_URL', undefined)
    vi.stubEnv('TOUR_RUN', mark)
  })
  afterAll(async () => {
    vi.unstubAllEnvs()
    expect(await processesWith('TOUR_RUN', mark), 'nothing is left').toEqual([])
  })

  it.concurrent('results: shows each end of a task', async () => {
    const result = await results.run({ timeout: 300 })
    expect(result).toMatchObject({ timeout: 300, purged: 100, purgedState: 'unknown' })
    expect(result.ended).toMatch(/no result of echo .* within 300 ms(; it is waiting)?$/)
    expect(result.rows.map(({ state }) => state)).toEqual(['succeeded', 'failed', 'failed', 'unknown', 'unknown'])
    expect(result.rows[0]?.outcome).toBe('80')
    expect(result.rows[1]?.outcome).toBe('error: RangeError: rate: received 0; accepts numbers above 0')
    expect(result.rows[2]?.outcome).toBe(result.rows[1]?.outcome)
    expect(result.stack[0]).toBe('RangeError: rate: received 0; accepts numbers above 0')
    expect(result.stack.slice(1).map((frame) => frame.replace(/\d+/, 'N'))).toEqual([
      'at checked (tour.ts:N)',
      'at total (tour.ts:N)',
      'at Object.run (tour.ts:N)',
    ])
  })

  it.concurrent('schedule: fires no moment twice, even when a worker and Redis die', async () => {
    const result = await schedule.run({ moments: 6 })
    expect(result).toMatchObject({ schedulers: 3, every: 250, doubled: 0 })
    expect(result.fired).toBeGreaterThan(1)
    expect(new Date(result.cron.next ?? Number.NaN).getTime()).toBeGreaterThan(Date.now())
  })

  it.concurrent('routing: sends each task to its queue, and orders one queue by priority', async () => {
    const result = await routing.run()
    expect(result).toEqual({
      routed: [
        { task: 'mail.send', queue: 'mail', worker: 'mail-worker' },
        { task: 'mail.digest', queue: 'mail', worker: 'mail-worker' },
        { task: 'image.resize', queue: 'images', worker: 'other-worker' },
        { task: 'report', queue: 'default', worker: 'other-worker' },
      ],
      order: [
        { sent: 3, priority: 1 },
        { sent: 6, priority: 1 },
        { sent: 5, priority: 4 },
        { sent: 1, priority: null },
        { sent: 4, priority: null },
        { sent: 2, priority: 9 },
      ],
    })
  })

  it.concurrent('revoke: stops what it is told to stop, and nothing else', async () => {
    const { tasks } = await revoke.run({ ms: 2_500 })
    expect(tasks).toEqual([
      { was: 'running', what: 'revoked, not stopped', is: 'succeeded', outcome: 'ran to its end' },
      ...['running', 'waiting', 'scheduled'].map((was) => ({
        was,
        what: was === 'running' ? 'revoked and stopped' : 'revoked',
        is: 'revoked',
        outcome: expect.stringMatching(/^TaskRevoked: /),
      })),
      { was: 'waiting', what: 'nothing', is: 'succeeded', outcome: 'ran to its end' },
    ])
  })
})
