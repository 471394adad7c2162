import { expect, it } from 'vitest'
import { costsOf } from '../../src/queues/costs.ts'

it('tells the COST of each kind of work against one thread, also where a contender has failed', async () => {
  const work = { tasks: 1_000, naps: 3, napMs: 20, signal: new AbortController().signal }
  const row = { name: 'rq' as const, label: 'our RQ', workers: 2 }
  const rows = [
    { ...row, perSecond: 0.001, napsMs: 3_600_000 },
    { ...row, failed: 'no worker' },
  ]
  const slow = await costsOf(rows, work)
  expect(slow).toMatchObject({ cost: 'not up to 2', waiting: { cost: 'not up to 2' } })
  expect(slow.waiting.bestSerialMs).toBeGreaterThan(19)
  const fast = await costsOf([...rows, { ...row, workers: 1, perSecond: Number.POSITIVE_INFINITY, napsMs: 0 }], work)
  expect(fast).toMatchObject({ cost: 1, waiting: { cost: 1 } })
})
