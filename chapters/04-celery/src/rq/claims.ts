/**
 * What makes a queue in Redis reliable: at every moment an item is in exactly one list, no matter which process dies.
 *
 *     waiting ──BLMOVE──> active:<worker> ──done──> gone
 *        ^                      │
 *        └── the worker's heartbeat has stopped ──┘
 *
 * Each worker moves items into a list of its own, in one step in the server. A sorted set has the worker's name, with
 * the time by which it has promised its next heartbeat. At every heartbeat a worker also looks for workers that have
 * broken their promise, and moves their items back: every worker is the reaper of the others.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay, setInterval } from 'node:timers/promises'
import { errorOf } from '@repo/common/output/errors'
import { DisposableStack } from '@whatwg-node/disposablestack'
import type { RedisOptions } from 'ioredis'
import { connect, explainRedisError, type Redis } from '../queue/connect.ts'

export interface ServeOptions {
  /** Items handled at a time; 1 by default. */
  concurrency?: number
  /** How long a worker without a sign of life keeps its items; 15 s by default. */
  leaseMs?: number
  /** Aborting it ends the serving: nothing more is claimed, and what is being handled is finished. */
  signal: AbortSignal
  /** Called when the other workers know this one and it is about to claim. */
  onReady?: () => void
  /** Called with errors of the connection and of the handler; the serving goes on. */
  onError?: (error: Error) => void
}

export interface Claim {
  item: string
  /** The list that holds the item while it is this worker's. Removing the item from it means that it is done. */
  active: string
  worker: string
}

export interface QueueKeys {
  waiting: string
  /** Lists of items that are claimed only while `waiting` is empty, and each only while those before it are. */
  lower?: string[]
  /** A sorted set of the workers, each with the time (ms since 1970) by which its next heartbeat is due. */
  workers: string
  /** A worker's name follows it. */
  active: string
}

const defaultLeaseMs = 15_000
/** A longer timer of Node's fires at once. */
const longestLeaseMs = 2 ** 31 - 1
const blockSeconds = 0.5
const leaveTimeoutMs = 2_000
/** A worker that was frozen may claim once more before its next heartbeat, so its name is remembered for a day. */
const forgetMs = 86_400_000

/** By the server's clock, because the workers' clocks need not agree. */
const now = `local time = redis.call('TIME'); local now = time[1] * 1000 + math.floor(time[2] / 1000)`

// #region beat
const beatScript = `${now}
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  while redis.call('LMOVE', ARGV[3] .. dead, KEYS[2], 'LEFT', 'RIGHT') do end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ${forgetMs})
redis.call('PEXPIRE', KEYS[1], ${forgetMs})
return redis.call('LRANGE', ARGV[3] .. ARGV[1], 0, -1)`
// #endregion beat

/** Removes one of two equal items. */
const onceScript = `if #redis.call('LPOS', KEYS[1], ARGV[1], 'COUNT', 0) > 1 then redis.call('LREM', KEYS[1], 1, ARGV[1]) end`

const putBackScript = `if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 1 then redis.call('RPUSH', KEYS[2], ARGV[1]) end`

/** Takes the first item of the first list that has one. */
const claimScript = `for at = 2, #KEYS do
  local item = redis.call('LMOVE', KEYS[at], KEYS[1], 'RIGHT', 'LEFT')
  if item then return item end
end`

const leaveScript = `while redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT') do end
redis.call('ZREM', KEYS[3], ARGV[1])`

/**
 * Claims items and hands them to `handle` until the signal is aborted. When `handle` has done an item, it removes it
 * from the claim's `active` list in the same step in which it writes the result. What it leaves there is handled again.
 *
 * @throws an Error of one line if Redis cannot be reached or refuses the password, and a RangeError for options that
 *   mean nothing
 */
export async function serve(
  url: string,
  keys: QueueKeys,
  handle: (redis: Redis, claim: Claim) => Promise<void>,
  { concurrency = 1, leaseMs = defaultLeaseMs, signal, onReady, onError = () => {} }: ServeOptions,
): Promise<void> {
  if (!(Number.isInteger(concurrency) && concurrency >= 1))
    throw new RangeError(`concurrency: received ${concurrency}; accepts a whole number from 1`)
  if (!(leaseMs >= 1 && leaseMs <= longestLeaseMs))
    throw new RangeError(`leaseMs: received ${leaseMs}; accepts milliseconds from 1 to ${longestLeaseMs}`)
  const report = (thrown: unknown) => onError(errorOf(explainRedisError(thrown, url)))
  const worker = randomUUID()
  const active = keys.active + worker
  using stack = new DisposableStack()
  const open = async (options: RedisOptions) => stack.adopt(await connect(url, options), (each) => each.disconnect())
  const redis = await open({ enableAutoPipelining: true })
  // A blocking call keeps its connection busy. If it is lost, the loop below repeats it, not the client.
  const blocking = await open({ maxRetriesPerRequest: 0, socketTimeout: 10_000 })
  const running = new Map<string, Promise<void>>()
  let strays = new Set<string>()
  let slot = Promise.withResolvers<void>()
  for (const connection of [redis, blocking]) connection.on('error', report)

  async function beat() {
    const mine = (await redis.eval(beatScript, 2, keys.workers, keys.waiting, worker, leaseMs, keys.active)) as string[]
    const unknown = mine.filter((item) => !running.has(item))
    // These were claimed for us, but the answer was lost with the connection. They are put back at the second
    // heartbeat, because at the first one the answer may still be on its way.
    for (const item of unknown) if (strays.has(item)) await redis.eval(putBackScript, 2, active, keys.waiting, item)
    strays = new Set(unknown)
  }

  const stopped = new AbortController()
  async function beatUntilStopped() {
    for await (const _ of setInterval(leaseMs / 5, undefined, { signal: stopped.signal })) await beat().catch(report)
  }

  /** Whether Redis answers before another worker may take over what this one has. */
  const answers = () => Promise.race([redis.ping().then(Boolean, () => false), delay(leaseMs, false, { ref: false })])

  // Before the first claim, because the items of a worker that nobody knows would be lost with it.
  await beat().catch((error) => {
    throw explainRedisError(error, url)
  })
  // Nobody waits for it at the end: while Redis is away a heartbeat never ends.
  void beatUntilStopped().catch(() => {})
  const { waiting, lower = [] } = keys
  async function claim() {
    // What is in the lower lists cannot be waited for as well.
    const item = lower.length > 0 && (await blocking.eval(claimScript, lower.length + 2, active, waiting, ...lower))
    return (item as string | null | false) || (await blocking.blmove(waiting, active, 'RIGHT', 'LEFT', blockSeconds))
  }

  let clientId: number | undefined
  async function learnId() {
    clientId = await blocking.client('ID').catch(() => undefined)
  }
  function stopClaiming() {
    slot.resolve()
    // Ends the wait for an item. Closing the connection would not do: Redis could still move an item for nobody.
    if (clientId !== undefined) void redis.client('UNBLOCK', clientId).catch(() => {})
  }
  blocking.on('ready', learnId)
  await learnId()
  signal.addEventListener('abort', stopClaiming, { once: true })
  onReady?.()
  while (!signal.aborted) {
    try {
      const item = await claim()
      if (item === null) continue
      if (running.has(item)) {
        // The item was in the list twice; or this worker counted as dead and has its own item back.
        void redis.eval(onceScript, 1, active, item).catch(report)
        continue
      }
      if (signal.aborted) {
        // Redis moved it before the signal came.
        void redis.eval(putBackScript, 2, active, keys.waiting, item).catch(report)
        break
      }
      const handled = handle(redis, { item, active, worker }).catch(report)
      running.set(
        item,
        handled.then(() => {
          running.delete(item)
          slot.resolve()
        }),
      )
      if (running.size >= concurrency) await slot.promise
      slot = Promise.withResolvers<void>()
    } catch (error) {
      report(error)
      await delay(100)
    }
  }
  // Without Redis no result can be written: the running items are left to the others, like a killed worker's.
  while (running.size > 0 && (await answers()))
    await Promise.race([Promise.all(running.values()), delay(500, undefined, { ref: false })])
  stopped.abort()
  signal.removeEventListener('abort', stopClaiming)
  // What cannot be put back now is put back by the others when they miss our heartbeat.
  if (redis.status !== 'ready') return
  const left = redis.eval(leaveScript, 3, active, keys.waiting, keys.workers, worker).catch(report)
  await Promise.race([left, delay(leaveTimeoutMs, undefined, { ref: false })])
}
