/**
 * What one worker knows about revoked tasks; queue/revoke.ts revokes them.
 *
 * The worker reads the sorted set of revoked ids when it starts, and is told about new ones. So checking a task costs
 * only a look into the worker's own memory, unless the task was revoked. In Celery a revocation is forgotten when all
 * workers have stopped.
 */
import type { Redis } from 'ioredis'
import { revokedKey } from '../queue/message.ts'

export class Revocations {
  readonly #redis: Redis
  readonly #key: string
  /** All revoked tasks, and some that no longer are. */
  readonly #ids = new Set<string>()

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis
    this.#key = revokedKey(prefix)
  }

  /** Reads what was revoked while this worker was down, and forgets what other workers have dealt with. */
  async load(): Promise<void> {
    // Ids that arrive while the set is read are kept.
    const known = [...this.#ids]
    const revoked = new Set(await this.#redis.zrange(this.#key, '0', '-1'))
    for (const id of revoked) this.#ids.add(id)
    for (const id of known) if (!revoked.has(id)) this.#ids.delete(id)
  }

  // #region includes
  /** Whether this worker has heard that a task was revoked; it may have been dealt with since. */
  mayInclude(id: string): boolean {
    return this.#ids.has(id)
  }

  /** Whether a task is revoked. Asks Redis only about tasks that once were: one with a key may be sent again. */
  async includes(id: string): Promise<boolean> {
    return this.mayInclude(id) && (await this.#redis.zscore(this.#key, id)) !== null
  }
  // #endregion includes

  add(ids: readonly string[]): void {
    for (const id of ids) this.#ids.add(id)
  }

  /** Call this when a revoked task has ended: nobody needs to remember it. */
  async fulfilled(id: string): Promise<void> {
    this.#ids.delete(id)
    await this.#redis.zrem(this.#key, id)
  }
}
