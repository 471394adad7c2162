/** Leases on Redis. */
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { redis } from '../../src/lease/redis.ts'
import { givesLeases } from './contract.ts'

leavesNothingRunning()

describeReal('redis', { name: 'a Redis server', found: await findRedisServer(), install: installRedis }, () =>
  givesLeases(redis),
)
