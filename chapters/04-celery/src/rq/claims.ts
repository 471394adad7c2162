/**
 * What makes a queue in Redis reliable: an item is in exactly one list at every moment, whoever dies.
 *
 *     waiting ──BLMOVE──> active:<worker> ──done──> gone
 *        ^                      │
 *        └── the worker's heart-beat has stopped ──┘
 *
 * Each worker moves items into a list of its own, in one step in the server, and has its name in a sorted set, with the time
 * until which it has promised its next heart-beat. With every heart-beat it also looks for workers that have broken their
 * promise, and moves their items back: every worker is the reaper of the others.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay, setInterval } from 'node:timers/promises'
import { DisposableStack } from '@whatwg-node/disposablestack'
import type { RedisOptions } from 'ioredis'
import { connect, type Redis } from '../queue/connect.ts'

export interface ServeOptions {
  /** How many items are handled at a time; 1. */
  concurrency?: number
  /** How long a worker that gives no sign of life keeps its items; 15 s. */
  leaseMs?: number
  /** Ends the serving when aborted: nothing more is claimed, what is being handled is finished. */
  signal: AbortSignal
  /** Called when it is known to the other workers and is about to claim. */
  onReady?: () => void
  /** Told of what went wrong with the connection or in the handler; the serving goes on. */
  onError?: (error: Error) => void
}

export interface Claim {
  item: string
  /** The list in which the item stands while it is this worker's. Whoever removes it from there has done it. */
  active: string
  worker: string
}

export interface QueueKeys {
  waiting: string
  /** A sorted set: each worker with the time, in ms since 1970, at which it is taken for dead without another heart-beat. */
  workers: string
  /** Followed by a worker's name. */
  active: string
}

const defaultLeaseMs = 15_000
const blockSeconds = 0.5
const leaveTimeoutMs = 2_000
/** A frozen worker may claim once more when it thaws, before its next heart-beat: its name is remembered for a day. */
const forgetMs = 86_400_000

/** The server's clock: the workers' own need not agree. */
const now = `local time = redis.call('TIME'); local now = time[1] * 1000 + math.floor(time[2] / 1000)`

const beatScript = `${now}
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  while redis.call('LMOVE', ARGV[3] .. dead, KEYS[2], 'LEFT', 'RIGHT') do end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ${forgetMs})
redis.call('PEXPIRE', KEYS[1], ${forgetMs})
return redis.call('LRANGE', ARGV[3] .. ARGV[1], 0, -1)`

/** Takes out one item of two that are the same. */
const onceScript = `if #redis.call('LPOS', KEYS[1], ARGV[1], 'COUNT', 0) > 1 then redis.call('LREM', KEYS[1], 1, ARGV[1]) end`

const putBackScript = `if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 1 then redis.call('RPUSH', KEYS[2], ARGV[1]) end`

const leaveScript = `while redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT') do end
redis.call('ZREM', KEYS[3], ARGV[1])`

/**
 * Claims items and hands them to `handle` until the signal is aborted. What `handle` has done it removes itself from the
 * claim's `active` list, in the same step in which it writes the result; what it leaves there is handled again.
 *
 * @throws an Error of one line when Redis cannot be reached or refuses the password
 */
export async function serve(
  url: string,
  keys: QueueKeys,
  handle: (redis: Redis, claim: Claim) => Promise<void>,
  { concurrency = 1, leaseMs = defaultLeaseMs, signal, onReady, onError = () => {} }: ServeOptions,
): Promise<void> {
  const worker = randomUUID()
  const active = keys.active + worker
  using stack = new DisposableStack()
  const open = async (options: RedisOptions) => stack.adopt(await connect(url, options), (each) => each.disconnect())
  const redis = await open({ enableAutoPipelining: true })
  // A blocking call keeps its connection busy. One that is lost is not sent again by the client but by the loop below.
  const blocking = await open({ maxRetriesPerRequest: 0, socketTimeout: 10_000 })
  const running = new Map<string, Promise<void>>()
  let strays = new Set<string>()
  let slot = Promise.withResolvers<void>()
  for (const connection of [redis, blocking]) connection.on('error', onError)

  async function beat() {
    const mine = (await redis.eval(beatScript, 2, keys.workers, keys.waiting, worker, leaseMs, keys.active)) as string[]
    const unknown = mine.filter((item) => !running.has(item))
    // Claimed for us, but the answer never came: the connection was cut. Twice, for an answer may still be on its way.
    for (const item of unknown) if (strays.has(item)) await redis.eval(putBackScript, 2, active, keys.waiting, item)
    strays = new Set(unknown)
  }

  const stopped = new AbortController()
  async function beatUntilStopped() {
    for await (const _ of setInterval(leaseMs / 5, undefined, { signal: stopped.signal })) await beat().catch(onError)
  }

  /** Whether Redis answers, or does so again before another worker may take over what this one has. */
  const answers = () => Promise.race([redis.ping().then(Boolean, () => false), delay(leaseMs, false, { ref: false })])

  // Before the first claim: an item of a worker that nobody knows would be lost with it.
  await beat()
  // Not waited for at the end: a heart-beat that is due while there is no Redis never ends.
  void beatUntilStopped().catch(() => {})
  signal.addEventListener('abort', () => slot.resolve(), { once: true })
  onReady?.()
  while (!signal.aborted) {
    try {
      const item = await blocking.blmove(keys.waiting, active, 'RIGHT', 'LEFT', blockSeconds)
      if (item === null) continue
      if (running.has(item)) {
        // It stood in the list twice; or this worker was taken for dead, and has its own item back.
        void redis.eval(onceScript, 1, active, item).catch(onError)
        continue
      }
      if (signal.aborted) {
        // Redis had moved it already.
        void redis.eval(putBackScript, 2, active, keys.waiting, item).catch(onError)
        break
      }
      const handled = handle(redis, { item, active, worker }).catch(onError)
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
      onError(error as Error)
      await delay(100)
    }
  }
  // A result cannot be written where there is no Redis: what runs then is left to the others, as that of a killed worker is.
  while (running.size > 0 && (await answers()))
    await Promise.race([Promise.all(running.values()), delay(500, undefined, { ref: false })])
  stopped.abort()
  // What cannot be put back now, the others put back when our heart-beat is missed.
  const left = redis.eval(leaveScript, 3, active, keys.waiting, keys.workers, worker).catch(onError)
  await Promise.race([left, delay(leaveTimeoutMs, undefined, { ref: false })])
}
