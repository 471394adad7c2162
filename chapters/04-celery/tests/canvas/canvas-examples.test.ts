/** The example canvas by its results, and currency as a reader runs it. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Cost, costOf } from '@repo/common/cost'
import { runExample } from '@repo/common/testing/testing'
import { readRate } from '@repo/common/workloads/rates'
import { expect, it } from 'vitest'
import canvas from '../../examples/canvas.ts'
import currency from '../../examples/currency.ts'
import { describeRedis } from '../fixtures/layer.ts'
import { said } from '../fixtures/said.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

describeRedis('canvas', () => {
  it('computes each shape, shows what each failure does, and draws', async () => {
    const { shapes, failures, picture } = await canvas.run({ ms: 80, workers: 2 })
    expect(Object.fromEntries(shapes.map(({ shape, result }) => [shape, result]))).toEqual({
      group: [1, 4, 9, 16],
      chain: 100,
      chord: 14,
      diamond: 21,
      starmap: [1, 4, 9, 16, 25, 36, 49, 64, 81, 100],
      chunks: [[1, 4, 9], [16, 25, 36], [49, 64, 81], [100]],
      link: 25,
      linkError: 'RangeError: 13 is not squared here',
    })
    const tasksOf = (name: string) => shapes.find(({ shape }) => shape === name)?.tasks ?? []
    expect(shapes.map(({ tasks }) => tasks.length)).toEqual([4, 3, 4, 4, 1, 4, 2, 3])
    // No task begins before the one below it has ended; all times are by one machine's clock.
    const chain = tasksOf('chain')
    for (let at = 1; at < chain.length; at++)
      expect(chain[at]?.begin).toBeGreaterThanOrEqual(chain[at - 1]?.end ?? Number.NaN)
    expect(tasksOf('chord').at(-1)).toMatchObject({ task: 'sum', state: 'completed' })
    expect(
      tasksOf('linkError')
        .map(({ task, state }) => `${task} ${state}`)
        .sort(),
    ).toEqual(['increment failed', 'noted completed', 'square failed'])
    expect(failures).toMatchObject([
      { onFailure: 'fail', state: 'failed', result: 'RangeError: 13 is not squared here' },
      { onFailure: 'ignore', state: 'completed', result: 13, errorInBody: '13 is not squared here' },
      // 4 if the first had ended before the second failed, which may not be so on a busy machine.
      { onFailure: 'continue', state: 'completed', errorInBody: '13 is not squared here' },
      { onFailure: 'remove', state: 'completed', result: 13, errorInBody: null },
      { onFailure: 'wait', state: 'waiting-children', result: null },
    ])
    expect(await readFile(picture, 'utf8')).toContain('>chain 2: increment<')
  })
})

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
