/** Leases on Redis, and clients of it as processes. */
import { readFile } from 'node:fs/promises'
import { until } from '@repo/common/async/until'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { runRounds } from '../../src/lease/rounds.ts'
import { stores } from '../../src/lease/stores.ts'
import { givesLeases } from './contract.ts'
import { expectElections } from './elections.ts'
import { expectRounds } from './rounds.ts'

const running = leavesNothingRunning()

describeReal('redis', { name: 'a Redis server', found: await findRedisServer(), install: installRedis }, () => {
  givesLeases('redis')
  it('a paused holder loses a write without a token, and none with a token on everything', () =>
    expectRounds('redis', 1_000))
  it('whoever is struck is replaced, and two lead only where they must', () => expectElections('redis', 400))

  it.runIf(process.platform === 'linux')('ends a holder that is paused when it is aborted', async () => {
    const controller = new AbortController()
    const { signal } = controller
    await using redis = await stores.redis.start()
    const ended = runRounds(redis.place, { rounds: 1, leaseMs: 60_000, mistake: undefined, signal })
    ended.catch(() => {})
    const isStopped = async (line: string) => {
      const stat = await readFile(`/proc/${Number.parseInt(line, 10)}/stat`, 'utf8')
      return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T')
    }
    await until(async () => {
      const clients = (await running()).filter((line) => line.includes('client.program'))
      return (await Promise.all(clients.map(isStopped))).includes(true)
    })
    controller.abort(new Error('aborted by the test'))
    await expect(ended).rejects.toThrow('aborted by the test')
  })
})
