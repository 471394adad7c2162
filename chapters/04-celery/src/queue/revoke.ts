/**
 * Revoking: a waiting task never begins, and a running one is stopped if the caller asks for it.
 *
 * The ids of revoked tasks are in a sorted set in Redis, and are also announced to all workers at once: see
 * worker/revocations.ts.
 */
import type { Client } from './client.ts'
import { ask } from './control.ts'
import { revokedKey } from './message.ts'
import type { TaskResult } from './results.ts'

/** A revocation whose task never reached a worker is forgotten after 30 days. */
const keptMs = 30 * 24 * 3600 * 1000

/**
 * Revokes tasks of any sender. Tasks that have ended do not change.
 *
 * @param terminate whether to stop running ones; worker/run.ts says what that means
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
    // Moves scheduled tasks to the front, so that a worker discards them now and not when they are due.
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
