/**
 * A task that was revoked and then removed before a worker came to it never ends, so no worker forgets its revocation.
 * For most tasks that does not matter. But one with an idempotency key may be sent again, and has the same id then.
 */
import type { Redis } from 'ioredis'
import { isKeyed, jobKey, revokedKey } from './message.ts'

/** KEYS: the revocations. ARGV: the ids of tasks, each followed by its job's key. */
const script = `
for at = 1, #ARGV, 2 do
  if redis.call('EXISTS', ARGV[at + 1]) == 0 then redis.call('ZREM', KEYS[1], ARGV[at]) end
end`

/** Jobs in one script, which holds up Redis while it runs. */
const jobsAtATime = 1_000

/** Forgets the revocations of those tasks that have a key and are there no more. */
export async function forgetRevocations(redis: Redis, prefix: string, ids: readonly string[]): Promise<void> {
  const keyed = ids.filter(isKeyed)
  for (let at = 0; at < keyed.length; at += jobsAtATime) {
    const words = keyed.slice(at, at + jobsAtATime).flatMap((id) => [id, jobKey(prefix, id)])
    await redis.eval(script, 1, revokedKey(prefix), ...words)
  }
}
