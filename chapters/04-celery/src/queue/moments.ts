/** The moments at which tasks with a rate limit may start: worker/rate-limit.ts hands them out, this gives them back. */
import type { Redis } from 'ioredis'
import { jobKey, partsOf } from './message.ts'

/**
 * Redis keys of one limited task: the state of its rate, the moments by job, and the moments given back. A task may have
 * any name, even that of another one and `:moments`, so it comes last; and no queue is called "", so no key is a queue's.
 */
export const rateKeys = (prefix: string, task: string): string[] =>
  ['rate', 'moments', 'returned'].map((what) => `${prefix}::${what}:${task}`)

/** The Redis key of the set of all tasks of which a moment was handed out. */
export const limitedTasks = (prefix: string) => `${prefix}::limited`

/** KEYS: the state, the moments by job, the moments given back. ARGV: jobs. */
const returning = `
for _, job in ipairs(ARGV) do
  local moment = redis.call('HGET', KEYS[2], job)
  if moment then
    redis.call('HDEL', KEYS[2], job)
    redis.call('ZADD', KEYS[3], moment, moment)
  end
end
local keep = redis.call('PTTL', KEYS[1])
if keep > 0 then redis.call('PEXPIRE', KEYS[3], keep) end`

/** Jobs in one script, which holds up Redis while it runs. */
const jobsAtATime = 1_000

/** Gives back the moments of jobs that will not start. */
export async function giveBack(redis: Redis, prefix: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  for (const task of await redis.smembers(limitedTasks(prefix))) {
    const keys = rateKeys(prefix, task)
    for (let at = 0; at < ids.length; at += jobsAtATime) {
      await redis.eval(returning, keys.length, ...keys, ...ids.slice(at, at + jobsAtATime))
    }
  }
}

/** Gives back the moments of jobs that are there no more, because somebody has removed them without this layer. */
export async function giveBackRemoved(redis: Redis, prefix: string): Promise<void> {
  for (const task of await redis.smembers(limitedTasks(prefix))) {
    const [, moments = ''] = rateKeys(prefix, task)
    const ids = (await redis.hkeys(moments)).filter((id) => partsOf(id) !== undefined)
    const there = await Promise.all(ids.map((id) => redis.exists(jobKey(prefix, id))))
    const gone = ids.filter((_, at) => there[at] === 0)
    await giveBack(redis, prefix, gone)
  }
}
