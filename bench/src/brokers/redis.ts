/** One Redis, which has every answered command on disk. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { connectRedis } from '@repo/common/servers/connect'
import { findRedisServer, installRedis, startRedis } from '@repo/common/servers/redis'
import type { BrokerKind, Reach } from './broker.ts'

export const redis: BrokerKind = {
  missing: async () => ((await findRedisServer()) ? undefined : `needs Redis: ${installRedis}`),
  async start(signal) {
    const server = await startRedis({ appendOnly: true, own: true, signal })
    const { host, port, password = '', version } = server
    const reach = { endpoints: [{ host, port }], user: '', password }
    const client = await connectRedis(redisUrl(reach))
    const [, folder = ''] = (await client.config('GET', 'dir')) as string[]
    client.disconnect()
    const kill = async () => {
      await server.server?.kill()
    }
    return {
      version: `Redis ${version}`,
      durability: 'on disk before the answer (appendfsync always), one machine',
      reach,
      pids: () => [server.server?.pid ?? 0],
      folders: [folder],
      async crash() {
        await kill()
        await server.restart()
      },
      async loseMachine() {
        await kill()
        await rm(join(folder, 'appendonlydir'), { recursive: true, force: true })
        await server.restart()
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  },
}

export const redisUrl = ({ endpoints: [endpoint], password }: Reach) =>
  `redis://:${password}@${endpoint?.host}:${endpoint?.port}`
