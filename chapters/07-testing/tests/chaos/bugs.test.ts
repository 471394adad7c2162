/** Chaos: a planted bug is found, with any seed. The others: bugs.long.test.ts. */
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { describeReal } from '@repo/common/testing/vitest'
import { it } from 'vitest'
import { finds } from './finds.ts'

const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }

describeReal('chaos', need, () => {
  it('finds early-ack', { timeout: 240_000 }, () => finds('early-ack'))
})
