/**
 * Revoking: a task that waits is not begun, one that runs is stopped if that is asked for.
 *
 * What is revoked is kept in a sorted set in Redis, told to all workers at once, and read by a worker when it starts: looking
 * a task up costs a worker nothing but a look into its own memory, as long as it is not revoked. Celery does the same, but forgets when all workers are
 * gone.
 */
import type { Redis } from 'ioredis'
import type { Client } from '../queue/client.ts'
import { ask } from '../queue/control.ts'
import { revokedKey } from '../queue/message.ts'
import type { TaskResult } from '../queue/results.ts'

/** A revocation whose task never came to a worker is forgotten after 30 days. */
const keptMs = 30 * 24 * 3600 * 1000

/**
 * Revokes tasks, whoever sent them. What has ended is not changed.
 *
 * @param terminate whether those that run are stopped; see limits.ts for what that means
 */
export async function revoke(
  client: Client,
  results: readonly Pick<TaskResult, 'id' | 'queue'>[],
  { terminate = false }: { terminate?: boolean } = {},
): Promise<void> {
  if (results.length === 0) return
  const now = Date.now()
  const key = revokedKey(client.prefix)
  const ids = results.map(({ id }) => id)
  try {
    await client.redis
      .multi()
      .zadd(key, ...ids.flatMap((id) => [String(now), id]))
      .zremrangebyscore(key, 0, now - keptMs)
      .exec()
    await ask(client, { command: 'revoke', ids, terminate })
    // Those for later are discarded now instead of then.
    await Promise.all(
      results.map(async ({ id, queue }) => {
        const job = await client.queue(queue).getJob(id)
        if (job && (await job.isDelayed())) await job.promote().catch(() => {})
      }),
    )
  } catch (error) {
    throw client.explained(error)
  }
}

/** Takes revocations back, for tasks that are to be sent again. */
export async function unrevoke(client: Client, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await client.redis.zrem(revokedKey(client.prefix), ...ids)
  await ask(client, { command: 'unrevoke', ids: [...ids] })
}

/** What one worker knows to be revoked. */
export class Revocations {
  readonly #redis: Redis
  readonly #key: string
  /** All that are revoked, and some that no longer are. */
  readonly #ids = new Set<string>()

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis
    this.#key = revokedKey(prefix)
  }

  /** Reads what was revoked while this worker was not there to hear of it, and forgets what others have seen to. */
  async load(): Promise<void> {
    // What is heard of meanwhile stays.
    const known = [...this.#ids]
    const revoked = new Set(await this.#redis.zrange(this.#key, '0', '-1'))
    for (const id of revoked) this.#ids.add(id)
    for (const id of known) if (!revoked.has(id)) this.#ids.delete(id)
  }

  /** Asks Redis only about those that were revoked once: a task with a key may have been sent again since. */
  async includes(id: string): Promise<boolean> {
    return this.#ids.has(id) && (await this.#redis.zscore(this.#key, id)) !== null
  }

  add(ids: readonly string[]): void {
    for (const id of ids) this.#ids.add(id)
  }

  remove(ids: readonly string[]): void {
    for (const id of ids) this.#ids.delete(id)
  }

  /** The task was discarded or stopped: nobody needs to remember it. */
  async fulfilled(id: string): Promise<void> {
    this.#ids.delete(id)
    await this.#redis.zrem(this.#key, id)
  }
}
