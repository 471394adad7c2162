/**
 * Rate limits for a kind of task, across all workers. BullMQ limits whole queues; Celery limits a task, but in each
 * worker separately.
 *
 * Each task of a limited kind gets the next free moment, one every `perMs / max` ms, and waits for it among the delayed
 * jobs, where it does not delay others: the generic cell rate algorithm, with its moments handed out. A task starts at
 * its moment or later, when a worker comes to it, but never within that interval after the last start: then it gets a
 * new moment, before all tasks that have not had one. A start that comes a little late counts as on time, because else
 * each of them would cost the next task its moment. The moment of a task that will never start is given back
 * (`giveBack` of queue/moments.ts), and the next task gets it. Moments of another interval, from before the limit was
 * changed, are forgotten, and the tasks that wait for them ask anew.
 *
 * All of it is in Redis, so workers may die at any time.
 */
import type { Redis } from 'ioredis'
import { limitedTasks, rateKeys } from '../queue/moments.ts'
import type { RateLimit } from '../queue/task.ts'

/**
 * A start is on time up to this many milliseconds after its moment, or a tenth of `perMs` if that is less. A Redis that
 * has nothing else to do looks ten times a second (`hz`) for workers that have waited long enough.
 */
const onTimeMs = 100

/**
 * KEYS: the last moment given to a new task, the last start, the last moment given to a task that had missed its own,
 * and the interval, in one string; the moments by job; the moments given back; the limited tasks. ARGV: the job, ms
 * between two moments, the task, ms until a start is late. Returns the wait, and the jobs whose moments are forgotten.
 */
const script = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local interval = tonumber(ARGV[2])
local last, started, missed, forgotten = 0, 0, 0, {}
local state = redis.call('GET', KEYS[1])
if state then
  local fields = string.gmatch(state, '%S+')
  last, started, missed = tonumber(fields()), tonumber(fields() or 0), tonumber(fields() or 0)
  local before = fields()
  if before and before ~= string.format('%.3f', interval) then
    forgotten = redis.call('HKEYS', KEYS[2])
    redis.call('DEL', KEYS[2], KEYS[3])
    last, missed = 0, 0
  end
end
local mine = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or nil)
if mine and mine > now then return { tostring(mine - now), forgotten } end
local soonest = math.max(now, started + interval)
local moment = soonest
if mine then
  redis.call('HDEL', KEYS[2], ARGV[1])
  if moment > now then
    moment = math.max(moment, missed + interval)
    missed = moment
  end
else
  local returned = redis.call('ZRANGEBYSCORE', KEYS[3], string.format('%.3f', soonest), '+inf', 'LIMIT', 0, 1)[1]
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', returned or '+inf')
  moment = tonumber(returned) or math.max(soonest, last + interval)
end
last = math.max(last, moment)
if moment <= now then started = math.max(started + interval, mine or now, now - tonumber(ARGV[4])) end
local keep = math.ceil(math.max(last, missed) - now + interval) + 60000
redis.call('SET', KEYS[1], string.format('%.3f %.3f %.3f %.3f', last, started, missed, interval), 'PX', keep)
if moment <= now then return { '0', forgotten } end
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.3f', moment))
redis.call('PEXPIRE', KEYS[2], keep)
redis.call('SADD', KEYS[4], ARGV[3])
return { tostring(moment - now), forgotten }`

/**
 * Asks whether a task may start now.
 *
 * @param onForgotten called with the jobs that should ask again now, because the limit has changed; mostly none
 * @returns 0 if it may, else the milliseconds after which to ask again
 */
export async function admit(
  redis: Redis,
  { prefix, task, id, limit }: { prefix: string; task: string; id: string; limit: RateLimit },
  onForgotten?: (ids: readonly string[]) => void,
): Promise<number> {
  const keys = [...rateKeys(prefix, task), limitedTasks(prefix)]
  const lateMs = Math.min(onTimeMs, limit.perMs / 10)
  const answer = await redis.eval(script, keys.length, ...keys, id, limit.perMs / limit.max, task, lateMs)
  const [wait, forgotten] = answer as [wait: string, forgotten: string[]]
  onForgotten?.(forgotten.filter((other) => other !== id))
  return Math.ceil(Number(wait))
}
