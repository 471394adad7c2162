/**
 * Revoking: a waiting task never begins, and a running one is stopped if the caller asks for it.
 *
 * The ids of revoked tasks are in a sorted set in Redis, and are also announced to all workers at once: see
 * worker/revocations.ts.
 */
import type { Client } from './client.ts'
import { ask } from './control.ts'
import { isKeyed, revokedKey } from './message.ts'
import type { TaskResult } from './results.ts'

/** A revocation whose task never reached a worker is forgotten after 30 days. */
const keptMs = 30 * 24 * 3600 * 1000

/** Ids in one command: more would not fit on the stack, and would hold up Redis and its subscribers. */
const atATime = 5_000

/**
 * Adds those tasks that have not ended: what ended stays as it is, and may be retried or, with the same idempotency key,
 * sent again. A task that is not in Redis may come later, as part of a canvas; one with a key has no part in any, and
 * its result is there no more.
 *
 * KEYS: the revocations. ARGV: the time now and the time before which they are forgotten; then for each task its id, its
 * job's key, and 1 if it has an idempotency key.
 */
const script = `
for at = 3, #ARGV, 3 do
  local job = ARGV[at + 1]
  local isOver = redis.call('HGET', job, 'finishedOn') or (ARGV[at + 2] == '1' and redis.call('EXISTS', job) == 0)
  if not isOver then redis.call('ZADD', KEYS[1], ARGV[1], ARGV[at]) end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, ARGV[2])`

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
  const { redis, prefix } = client
  const now = Date.now()
  await client.explaining(async () => {
    for (let at = 0; at < results.length; at += atATime) {
      const some = results.slice(at, at + atATime)
      const words = some.flatMap(({ id, queue }) => [id, `${prefix}:${queue}:${id}`, isKeyed(id) ? 1 : 0])
      await redis.call('EVAL', [script, 1, revokedKey(prefix), now, now - keptMs, ...words])
      await ask(client, { command: 'revoke', ids: some.map(({ id }) => id), terminate })
      // Moves scheduled tasks to the front, so that a worker discards them now and not when they are due.
      await Promise.all(
        some.map(async ({ id, queue }) => {
          const job = await client.queue(queue).getJob(id)
          if (job && (await job.isDelayed())) await job.promote().catch(() => {})
        }),
      )
    }
  })
}
