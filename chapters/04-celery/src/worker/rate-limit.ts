/**
 * Rate limits for a kind of task, across all workers. BullMQ limits whole queues; Celery limits a task, but in each
 * worker separately.
 *
 * Each task of a limited kind gets the next free time slot, one every `perMs / max` ms, and waits for it among the
 * delayed jobs, where it does not delay others: the generic cell rate algorithm, with its slots handed out. Redis keeps
 * the moment at which the last slot begins and that of each job's slot, so workers may die at any time. A slot lasts
 * until the next one begins. A job that misses its slot gets another, as all do after a time without workers.
 */
import type { Redis } from 'ioredis'
import type { RateLimit } from '../queue/task.ts'

/** KEYS: the last moment given, the moments by job. ARGV: the job, ms between two moments. */
const script = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local interval = tonumber(ARGV[2])
local mine = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or nil)
if mine and mine > now then return tostring(mine - now) end
if mine then redis.call('HDEL', KEYS[2], ARGV[1]) end
if mine and mine > now - interval then return '0' end
local last = tonumber(redis.call('GET', KEYS[1]) or 0)
local moment = math.max(last + interval, now)
local wait = moment - now
local keep = math.ceil(wait + interval) + 60000
redis.call('SET', KEYS[1], string.format('%.3f', moment), 'PX', keep)
if wait <= 0 then return '0' end
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.3f', moment))
redis.call('PEXPIRE', KEYS[2], keep)
return tostring(wait)`

/**
 * Asks whether a task may start now.
 *
 * @returns 0 if it may, else the milliseconds after which to ask again
 */
export async function admit(
  redis: Redis,
  { prefix, task, id, limit }: { prefix: string; task: string; id: string; limit: RateLimit },
): Promise<number> {
  const keys = [`${prefix}:rate:${task}`, `${prefix}:rate:${task}:moments`]
  const wait = await redis.eval(script, keys.length, ...keys, id, limit.perMs / limit.max)
  return Math.ceil(Number(wait))
}
