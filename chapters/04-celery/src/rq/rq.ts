/**
 * The smallest queue that is still reliable: workers in other processes run named functions with arguments.
 *
 * A job is a hash, `rq:<queue>:job:<id>`, and its id is in one list: `waiting`, the `active` list of a worker, or
 * `failed`. A job is `queued`, then `started`, then `finished` or `failed`. claims.ts moves the id, and brings it back
 * when a worker dies. Every change of a job and of its place is one script in Redis, so nothing is ever half done.
 */
import { randomUUID } from 'node:crypto'
import { requireMs, sleep } from '@repo/common/async/timer'
import { errorOf, messageOf } from '@repo/common/output/errors'
import { removeKeys } from '@repo/common/servers/remove-keys'
import { z } from 'zod'
import { connect, explainRedisError, type Redis, refusalOf } from '../queue/connect.ts'
import { type Claim, type QueueKeys, type ServeOptions, serve } from './claims.ts'
import { readJson, writeJson } from './json.ts'

/** The functions that may be called, by name, each with the schema of its arguments. Nothing else is ever run. */
export type Functions = Record<string, { args: z.ZodTuple; run: (...args: never[]) => unknown }>

/** A function with the schema of its arguments, from which they get their types. */
export function remote<Args extends z.ZodTuple>(args: Args, run: (...args: z.output<Args>) => unknown) {
  return { args, run }
}

export interface Job {
  id: string
  name: string
  status: 'queued' | 'started' | 'finished' | 'failed'
  /** How often it was begun. */
  attempts: number
  result?: unknown
  /** Why it failed; `stack` says where in the worker. */
  error?: string
  stack?: string
  /** Milliseconds since 1970, by the server's clock. */
  enqueuedAt: number
  startedAt?: number
  endedAt?: number
}

/** A job whose workers keep dying is given up after this many: it may be what kills them. */
const mostAttempts = 3
/** The most bytes of arguments, and of a result, as JSON. */
export const mostBytes = 1_000_000
const resultTtlMs = 500_000

const time = `local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)`
const scripts = {
  // The caller chooses the id, so a command that is repeated after a lost connection adds nothing.
  enqueue: `${time} if redis.call('HSETNX', KEYS[1], 'name', ARGV[2]) == 0 then return end
    redis.call('HSET', KEYS[1], 'args', ARGV[3], 'status', 'queued', 'attempts', 0, 'enqueuedAt', now)
    redis.call('LPUSH', KEYS[2], ARGV[1])`,
  // A key that is no hash is no job, and would be in the way of the error.
  begin: `${time} if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then redis.call('DEL', KEYS[1]) end
    local status = redis.call('HGET', KEYS[1], 'status')
    if not status then return {} end
    if status == 'finished' or status == 'failed' then
      -- Its id was in the list twice.
      redis.call('LREM', KEYS[2], 1, ARGV[3])
      return {status}
    end
    local attempts = redis.call('HINCRBY', KEYS[1], 'attempts', 1)
    redis.call('HSET', KEYS[1], 'status', 'started', 'startedAt', now, 'worker', ARGV[1])
    local args = redis.call('HSTRLEN', KEYS[1], 'args') <= tonumber(ARGV[2]) and redis.call('HGET', KEYS[1], 'args')
    return {'started', redis.call('HGET', KEYS[1], 'name') or '', args, attempts}`,
  // #region end
  // Only the worker that still has the job may end it. One that counted as dead and was not comes too late.
  end: `${time} if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
    redis.call('HSET', KEYS[2], 'endedAt', now, unpack(ARGV, 3))
    if ARGV[2] == 'failed' then redis.call('LPUSH', KEYS[3], ARGV[1])
    else redis.call('PEXPIRE', KEYS[2], ${resultTtlMs}) end
    return 1`,
  // #endregion end
  requeue: `if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
    redis.call('HSET', KEYS[2], 'status', 'queued', 'attempts', 0)
    redis.call('HDEL', KEYS[2], 'error', 'stack', 'startedAt', 'endedAt', 'worker')
    return redis.call('LPUSH', KEYS[3], ARGV[1])`,
  // All at one moment: a job that moves between two counts would be counted twice, or not at all.
  counts: `${time} local active = 0
    for _, worker in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do active = active + redis.call('LLEN', ARGV[1] .. worker) end
    return {redis.call('LLEN', KEYS[1]), active, redis.call('LLEN', KEYS[2]), redis.call('ZCOUNT', KEYS[3], now, '+inf')}`,
}

export interface Queue<F extends Functions> extends Disposable {
  /** Hands in a call and returns the job's id. Throws a TypeError if the arguments do not fit the function. */
  enqueue: <Name extends keyof F & string>(name: Name, ...args: z.input<F[Name]['args']>) => Promise<string>
  /**
   * The job as it is now; undefined if it does not exist or its result has expired, `resultTtlMs` after it finished.
   */
  job: (id: string) => Promise<Job | undefined>
  /** Polls every `everyMs`, and returns the job's result. Throws the job's error, or an Error when time is up. */
  result: (id: string, options?: { timeoutMs?: number; everyMs?: number; signal?: AbortSignal }) => Promise<unknown>
  /** How many jobs wait, are with a worker, and have failed; and how many workers are alive. */
  counts: () => Promise<{ waiting: number; active: number; failed: number; workers: number }>
  /** The ids of failed jobs, the newest first. They stay until they are put back. */
  failed: () => Promise<string[]>
  /** Puts a failed job back among the waiting ones; returns false if it is not among the failed ones. */
  requeue: (id: string) => Promise<boolean>
  /** Removes a job that is waiting or has ended, with its result. */
  forget: (id: string) => Promise<void>
  /** Removes the whole queue with all its jobs. Nobody may be using it any more. */
  clear: () => Promise<void>
}

const textFields = ['name', 'status', 'error', 'stack', 'result'] as const
const numberFields = ['attempts', 'enqueuedAt', 'startedAt', 'endedAt'] as const satisfies (keyof Job)[]

type Keys = QueueKeys & { prefix: string; failed: string; job: (id: string) => string }

function keysOf(queue: string): Keys {
  // The keys of a queue "a:b" would begin as those of "a" do, and be cleared with them.
  if (!/^[^:]+$/.test(queue)) throw new RangeError(`queue: received "${queue}"; accepts a name without colons`)
  const prefix = `rq:${queue}:`
  return {
    prefix,
    waiting: `${prefix}waiting`,
    workers: `${prefix}workers`,
    failed: `${prefix}failed`,
    active: `${prefix}active:`,
    job: (id) => `${prefix}job:${id}`,
  }
}

/** The client's side of a queue. @throws a RangeError for a name with a colon, and an Error if Redis cannot be reached */
export async function openQueue<F extends Functions>(url: string, name: string, functions: F): Promise<Queue<F>> {
  const keys = keysOf(name)
  // Calls of one turn of the event loop travel together.
  const redis = await connect(url, { enableAutoPipelining: true })

  /** With the errors of Redis in one line that names the server. */
  const explained = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer
    } catch (error) {
      throw explainRedisError(error, url)
    }
  }

  const job = async (id: string): Promise<Job | undefined> => {
    // All but the arguments, which are large and belong to the worker.
    const found = await explained(redis.hmget(keys.job(id), ...textFields, ...numberFields))
    const [name, status, error, stack, result, ...numbers] = found.map((text) => text ?? undefined)
    if (name === undefined && status === undefined) return undefined
    const given = numberFields.flatMap((field, at) => (numbers[at] === undefined ? [] : [[field, Number(numbers[at])]]))
    return {
      id,
      name,
      status,
      error,
      stack,
      ...(result === undefined ? {} : { result: readJson(result) }),
      ...Object.fromEntries(given),
    } as Job
  }

  return {
    job,
    async enqueue(name, ...args) {
      const { args: schema } = functions[name] ?? {}
      const checked = schema?.safeParse(args)
      if (!checked?.success) throw new TypeError(checked ? why(name, checked.error) : `no function "${name}"`)
      const what = `the arguments of ${name}`
      const text = writeJson(args, what)
      requireSize(text, what)
      const id = randomUUID()
      await explained(redis.eval(scripts.enqueue, 2, keys.job(id), keys.waiting, id, name, text))
      return id
    },
    async result(id, { timeoutMs = 30_000, everyMs = 10, signal } = {}) {
      requireMs(timeoutMs, 'timeoutMs')
      requireMs(everyMs, 'everyMs')
      const over = new AbortController()
      const late = sleep(timeoutMs, signal ? AbortSignal.any([over.signal, signal]) : over.signal)
      late.catch(() => {})
      let last = `the job ${id} was unknown`
      try {
        for (;;) {
          // Neither the arguments nor the result: both may be large. While Redis is away no question is answered.
          const found = await Promise.race([explained(redis.hmget(keys.job(id), 'status', 'name')), late])
          if (!found) throw new Error(`${last} after ${timeoutMs / 1000} s`)
          const [status, name] = found
          if (status === 'finished' || status === 'failed') {
            const ended = await Promise.race([job(id), late])
            if (ended?.status === 'finished') return ended.result
            if (ended?.status === 'failed') throw new Error(`${ended.name} failed: ${ended.error}`)
          } else if (status === null) throw new Error(`there is no job ${id}, or its result has expired`)
          last = `${name} was still ${status}`
          await Promise.race([sleep(everyMs, over.signal), late])
        }
      } finally {
        over.abort()
      }
    },
    async counts() {
      const asked = redis.eval(scripts.counts, 3, keys.waiting, keys.failed, keys.workers, keys.active)
      const counted = await explained(asked)
      const [waiting, active, failed, workers] = counted as [number, number, number, number]
      return { waiting, active, failed, workers }
    },
    failed: () => explained(redis.lrange(keys.failed, 0, -1)),
    async requeue(id) {
      return (await explained(redis.eval(scripts.requeue, 3, keys.failed, keys.job(id), keys.waiting, id))) !== 0
    },
    async forget(id) {
      await explained(redis.multi().lrem(keys.waiting, 0, id).lrem(keys.failed, 0, id).del(keys.job(id)).exec())
    },
    async clear() {
      await explained(removeKeys(redis, keys.prefix))
    },
    [Symbol.dispose]: () => redis.disconnect(),
  }
}

/**
 * Runs the jobs of a queue until the signal is aborted, and finishes those that are then running.
 *
 * @throws an Error of one line if Redis cannot be reached or refuses the password
 */
export async function work(url: string, name: string, functions: Functions, options: ServeOptions): Promise<void> {
  const keys = keysOf(name)
  await serve(url, keys, (redis, claim) => runJob(redis, keys, functions, claim), options)
}

async function runJob(redis: Redis, keys: Keys, functions: Functions, claim: Claim) {
  const { item: id, active, worker } = claim
  const end = (status: string, ...fields: string[]) =>
    redis.eval(scripts.end, 3, active, keys.job(id), keys.failed, id, status, 'status', status, ...fields)
  let begun: unknown
  let result: string
  try {
    begun = await redis.eval(scripts.begin, 2, keys.job(id), active, worker, mostBytes, id)
    const [status, name = '', args, attempts = 0] = begun as [string?, string?, string?, number?]
    if (status === 'finished' || status === 'failed') return
    if (status === undefined) throw new Error('there is no record of this job')
    if (attempts > mostAttempts) throw new Error(`${mostAttempts} workers died running it`)
    // Only what was registered, and nothing that every object inherits, such as `constructor`.
    if (!Object.hasOwn(functions, name)) throw new Error(`no function "${name.slice(0, 80)}" is registered`)
    if (typeof args !== 'string') throw new Error(`its arguments are missing, or more than ${mostBytes} bytes`)
    const { args: schema, run } = functions[name] as Functions[string]
    const checked = schema.safeParse(readJson(args))
    if (!checked.success) throw new TypeError(why(name, checked.error))
    result = writeJson(await run(...(checked.data as never[])), 'the result')
    requireSize(result, 'the result')
  } catch (thrown) {
    const error = errorOf(thrown)
    // If Redis is away or refuses to begin it, the job has not failed, and is begun again. Its record may be wrong, too.
    if (begun === undefined && (error.name !== 'ReplyError' || refusalOf(error))) throw error
    const message = messageOf(error)
    const { stack = message } = error
    return void (await end('failed', 'error', message.slice(0, 2_000), 'stack', stack.slice(0, 10_000)))
  }
  // If Redis refuses this, the job has not failed, and is run again.
  await end('finished', 'result', result)
}

const why = (name: string, error: z.ZodError) => `${name}: ${z.prettifyError(error).replaceAll('\n', ' ')}`

function requireSize(text: string, what: string) {
  const size = Buffer.byteLength(text)
  if (size > mostBytes) throw new RangeError(`${what}: ${size} bytes; at most ${mostBytes}`)
}
