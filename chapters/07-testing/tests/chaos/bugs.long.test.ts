/** Chaos: every planted bug is found, with any seed; early-ack: bugs.test.ts. */
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { describeReal } from '@repo/common/testing/vitest'
import { it } from 'vitest'
import { bugNames } from '../../src/pipeline/orders.ts'
import { finds } from './finds.ts'

const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }

describeReal('chaos', need, () => {
  const others = bugNames.filter((bug) => bug !== 'early-ack')
  it.each(others)('finds %s', { timeout: 240_000 }, finds)
})
