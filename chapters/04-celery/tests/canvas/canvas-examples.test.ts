/** currency as a reader runs it. The example canvas: canvas-examples.long.test.ts. */
import { fileURLToPath } from 'node:url'
import { type Cost, costOf } from '@repo/common/cost'
import { runExample } from '@repo/common/testing/testing'
import { readRate } from '@repo/common/workloads/rates'
import { expect, it } from 'vitest'
import currency from '../../examples/currency.ts'
import { describeRedis } from '../fixtures/layer.ts'
import { said } from '../fixtures/said.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

describeRedis('currency', () => {
  it("gets the day's rates from tasks, and one failure for a currency that does not exist", async () => {
    const args = ['--json', '--pairs', '6', '--latency', '20', '--workers', '1']
    const run = await runExample(chapter, 'currency', args)
    expect(run).toMatchObject({ code: 0 })
    const result = run.json<Cost & { rates: Record<string, number>; failed: string; workers: number; ms: number }>()
    expect(result).toMatchObject({ workers: 1, failed: 'Error: there is no currency "atlantis"' })
    expect(result).toMatchObject(costOf(result.bestSerialMs, [{ workers: 1, ms: result.ms }]))
    expect(Object.keys(result.rates)).toHaveLength(6)
    for (const [pair, rate] of Object.entries(result.rates)) {
      const [from = '', to = ''] = pair.split('/')
      expect(rate).toBe((await readRate({ from, to })).rate)
    }
    expect(await run.leftBehind()).toEqual([])
  })

  it('without workers waits as long as it was told, and purges what it sent', async () => {
    const result = await currency.run({ noWorkers: true, timeout: 200, pairs: 5 })
    expect(result).toMatchObject({
      workers: 0,
      ms: null,
      purged: 6,
      error: expect.stringContaining('within 200 ms'),
    })
  })

  it.each([
    ['--pairs', '0'],
    ['--pairs', '993'],
    ['--timeout', '-1'],
    ['--latency', 'slow'],
  ])('refuses %s %s in one line', async (...args) => {
    const { code, stdout, stderr } = await said('currency', args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: .*received .*; accepts [^\n]+\n$/)
  })
})
