/** One Redis, which has every answered command on disk. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { findRedisServer, installRedis, startRedis } from '@repo/common/servers/redis'
import { needing, type Reach } from './broker.ts'

const need = { name: 'Redis', install: installRedis, find: findRedisServer }

export const redis = needing(need, async ({ version }, signal) => {
  const redis = await startRedis({ appendOnly: true, own: true, signal })
  const { host, port, password = '', folder = '' } = redis
  return {
    version: `Redis ${version}`,
    durability: 'on disk before the answer (appendfsync always), one machine',
    reach: { endpoints: [{ host, port }], user: '', password },
    pids: () => [redis.server?.pid ?? 0],
    folders: [folder],
    async crash() {
      await redis.server?.kill()
      await redis.restart()
    },
    async loseMachine() {
      await redis.server?.kill()
      await rm(join(folder, 'appendonlydir'), { recursive: true, force: true })
      await redis.restart()
    },
    [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose](),
  }
})

export const redisUrl = ({ endpoints: [endpoint], password }: Reach) =>
  `redis://:${password}@${endpoint?.host}:${endpoint?.port}`
