/** Cleaning up in a Redis that others use too. */
import type { Redis } from 'ioredis'

/** Removes all keys that begin with a prefix. To Redis, some of its characters are patterns, which fit other keys too. */
export async function removeKeys(redis: Redis, prefix: string): Promise<void> {
  const match = `${prefix.replaceAll(/[*?[\]\\]/g, '\\$&')}*`
  for await (const keys of redis.scanStream({ match, count: 1_000 })) {
    if ((keys as string[]).length > 0) await redis.unlink(keys as string[])
  }
}
