/** Where `mergesort` runs: on Redis; or, where there is none, on PostgreSQL in this process. */
import { findRedisServer } from '@repo/common/servers/redis'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { startSystem } from '../system.ts'
import { redisSorters } from './redis.ts'
import type { Sorters } from './ways.ts'

export interface SortingSystem extends AsyncDisposable {
  sorters: Sorters
  workers: number
  /** In a few words. */
  place: string
  /** Of Redis; undefined where there is none. */
  url: string | undefined
}

export async function startSortingSystem(workers: number, signal: AbortSignal): Promise<SortingSystem> {
  await using stack = new AsyncDisposableStack()
  if (!process.env.REDIS_URL && !(await findRedisServer())) {
    const { postgresSorters } = await import('./postgres.ts')
    const sorters = stack.use(await postgresSorters(workers, signal))
    return { sorters, workers, place: 'PostgreSQL in this process, for there is no Redis', ...owned(stack) }
  }
  // One task at a time in each, so that no worker takes two chunks while another has none.
  const system = stack.use(await startSystem({ workers, args: ['--concurrency', '1'], signal }))
  const sorters = stack.use(redisSorters(system.client, signal))
  const place = `Redis ${system.redis.version}`
  return { sorters, workers: system.workerNames.length, place, ...owned(stack, system.redis.url) }
}

function owned(stack: AsyncDisposableStack, url?: string) {
  const moved = stack.move()
  return { url, [Symbol.asyncDispose]: () => moved.disposeAsync() }
}
