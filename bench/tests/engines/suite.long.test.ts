/** The suite of engines on two of them: every figure of a row, and ratios to the reference of the same rounds. */
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { engines } from '../../src/engines/suite.ts'
import { newRow } from '../../src/harness/suite.ts'
import { ratiosOf } from '../../src/harness/turns.ts'

describeReal('the suite', { name: 'a Redis server', found: await findRedisServer(), install: installRedis }, () => {
  leavesNothingRunning()

  it('measures bee-queue beside the layer, and says who is left out', { timeout: 180_000 }, async () => {
    const { signal } = new AbortController()
    const rows = ['layer', 'bee', 'rq'].map((id) => newRow(id, engines.contenders[id]?.label ?? ''))
    const shares: number[] = []
    const onProgress = (_: string, share: number) => shares.push(share)
    await engines.measure(rows, { quick: true, signal, onProgress })
    const [layer, bee, rq] = rows
    expect(rq?.failed).toBe('left out by --quick')
    for (const row of [layer, bee]) {
      expect(row?.failed).toBeUndefined()
      expect(row?.version).toMatch(/Redis \d/)
      expect(row?.durability).toMatch(/appendfsync always/)
      for (const metric of ['perSecond', 'p50Ms', 'p99Ms']) expect(row?.samples[metric]).toHaveLength(3)
      expect(row?.figures).toMatchObject({
        'worker killed: lost': 0,
        'worker killed: held': 0,
        'worker killed: doubled': 0,
      })
      expect(row?.figures['worker killed: begunTwice']).toBeGreaterThan(0)
      if (process.platform === 'linux') expect(row?.figures.brokerMemory).toBeGreaterThan(1e6)
    }
    // The reference is measured again beside each: no ratio is that of an engine to itself.
    expect(ratiosOf(layer as NonNullable<typeof layer>, 'perSecond')).toEqual([1, 1, 1])
    expect(ratiosOf(bee as NonNullable<typeof bee>, 'perSecond')).not.toContain(1)
    expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true)

    const [speed, faults] = engines.tables(rows)
    expect(speed?.rows.map(([name]) => name)).toEqual(["chapter 4's layer", 'bee-queue'])
    expect(faults?.rows).toHaveLength(2)
    expect(engines.pictures(rows).engines).toContain('bee-queue')
  })
})
