import { expect, it } from 'vitest'
import { until } from '../../src/async/until.ts'
import { temporaryFolder } from '../../src/process/temporary.ts'
import { connectRedis } from '../../src/servers/connect.ts'
import { findFaketime, installFaketime, wrongClock } from '../../src/servers/faketime.ts'
import { findRedisServer, startRedis } from '../../src/servers/redis.ts'
import { describeReal } from '../../src/testing/vitest.ts'

const library = await findFaketime()
const found = library && (await findRedisServer()) ? library : undefined

describeReal('a wrong clock', { name: 'libfaketime', found, install: installFaketime }, () => {
  it('is that of a Redis server: a key that had an hour left is gone', async () => {
    await using folder = await temporaryFolder()
    const { env, set } = await wrongClock(library ?? '', `${folder.path}/clock`)
    await using server = await startRedis({ own: true, env })
    const redis = await connectRedis(server.url)
    const seconds = async () => Number((await redis.time())[0]) - Date.now() / 1_000
    try {
      expect(Math.abs(await seconds())).toBeLessThan(5)
      await redis.set('key', 'value', 'EX', 3_600)
      await set(7_200)
      await until(async () => (await seconds()) > 7_100)
      expect(await redis.get('key')).toBeNull()
      await set(-7_200)
      await until(async () => (await seconds()) < -7_100)
    } finally {
      redis.disconnect()
    }
  })
})
