/** The whole example, as a reader runs it. */
import { join } from 'node:path'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'

const folder = join(import.meta.dirname, '../..')

describeReal('beyond', { name: 'a Redis server', found: await findRedisServer(), install: installRedis }, () => {
  it('measures, predicts, and leaves nothing behind', async () => {
    const done = await runExample(folder, 'beyond', ['--quick', '--json'])
    const { checked, predictions, ofBroker, limits } = done.json<{
      checked: { workers: number; perSecond: number; predicted: number }[]
      predictions: { workers: number; perSecond: number; brokerLoad: number }[]
      ofBroker: number
      limits: { ms: number; workers: number }[]
    }>()
    expect(checked.map(({ workers }) => workers)).toEqual([1, 2, 4, 8])
    for (const { perSecond, predicted } of checked) expect(perSecond * predicted).toBeGreaterThan(0)
    expect(predictions.at(-1)?.workers).toBe(10_000)
    for (const { perSecond } of predictions) expect(perSecond).toBeLessThan(1.1 * ofBroker)
    // A longer task leaves the broker more time.
    expect(limits.map(({ workers }) => workers)).toEqual(limits.map(({ workers }) => workers).toSorted((a, b) => a - b))
    expect(await done.leftBehind()).toEqual([])
  })

  it('leaves nothing behind after Ctrl-C', async () => {
    const stopped = await runExample(folder, 'beyond', [], { interruptWhen: /Tasks of/ })
    expect(stopped.code).toBe(130)
    expect(await stopped.leftBehind()).toEqual([])
  })
})
