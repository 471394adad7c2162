/** Elections by lease on Redis. */
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { it } from 'vitest'
import { expectElections } from './elections.ts'

leavesNothingRunning()

describeReal('on Redis', { name: 'a Redis server', found: await findRedisServer(), install: installRedis }, () => {
  it('whoever is struck is replaced, and two lead only where they must', () => expectElections('redis', 400))
})
