/** Each way on PostgreSQL and BullMQ, with its processes killed after each of their effects. */

import { findPostgres, installPostgres, startPostgres } from '@repo/common/servers/postgres'
import { findRedisServer, installRedis, startRedis } from '@repo/common/servers/redis'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { killAfter } from '../../src/transfer/real.ts'
import { effectsOf, rolesOf, type Way } from '../../src/transfer/ways.ts'

const found = (await findPostgres()) && (await findRedisServer())
const needed = { name: 'PostgreSQL and Redis', found, install: `${installPostgres}; ${installRedis}` }

/** Kills each process of a way after each of its effects. */
async function killAfterEach(way: Way) {
  await using postgres = await startPostgres()
  await using redis = await startRedis({ own: true })
  const kills = []
  for (const role of rolesOf(way))
    for (const at of (effectsOf[way][role] ?? []).keys())
      kills.push(await killAfter(way, role, at + 1, { postgres, redis, downMs: 50 }))
  return kills
}

describeReal('killed after each effect', needed, () => {
  leavesNothingRunning()

  it.each([
    ['2pc', 7],
    ['saga', 4],
    ['outbox', 5],
  ] as const)('%s neither loses nor doubles', { timeout: 120_000 }, async (way, kills) => {
    const all = await killAfterEach(way)
    expect(all).toHaveLength(kills)
    expect(all.filter(({ what }) => what)).toEqual([])
    expect(all.map(({ inDoubt }) => inDoubt.length)).toEqual(way === '2pc' ? [0, 1, 2, 2, 1, 0, 0] : all.map(() => 0))
  })

  it.each([
    ['commit-then-send', ['lost', undefined, 'doubled']],
    ['send-then-commit', ['doubled', undefined, 'doubled']],
  ] as const)('%s breaks the money: %j', { timeout: 120_000 }, async (way, fates) => {
    const all = await killAfterEach(way)
    expect(all.map(({ what }) => what)).toEqual(fates)
  })
})
