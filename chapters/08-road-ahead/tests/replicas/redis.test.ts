/** A real primary and its replica: what the replica answers, and what it lacks when it takes over. */
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { tryReplica } from '../../src/replicas/redis.ts'

const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }
const given = { delayMs: 100, rounds: 5, seed: 1 }

describeReal('a Redis replica', need, () => {
  leavesNothingRunning()

  it('answers with old values, and lacks acknowledged writes when it takes over', async () => {
    const trial = await tryReplica({ ...given, waits: false })
    expect(trial.reads).toBe(5)
    expect(trial.stale).toBeGreaterThan(0)
    expect(trial.lost).toBeGreaterThan(0)
    expect(trial.lost).toBeLessThanOrEqual(trial.acknowledged)
  })

  it('has what WAIT has waited for, and lacks what others had seen', async () => {
    const trial = await tryReplica({ ...given, waits: true })
    expect(trial).toMatchObject({ stale: 0, lost: 0 })
    expect(trial.acknowledged).toBeGreaterThan(0)
    expect(trial.gone).toBeGreaterThan(0)
  })
})
