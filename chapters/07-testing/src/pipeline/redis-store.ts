/**
 * The store in Redis: an effect is a script, which Redis runs in one atomic step and records in the history in the same
 * step.
 */
import { Redis } from 'ioredis'
import { type Books, type Entry, type StoreEffect, till } from './memory-store.ts'
import { type Answer, type Order, orderSchema, type State } from './orders.ts'

/**
 * KEYS: see `names`. ARGV: the entry for the history as JSON, then the effect's name, its order, and its own values. The
 * rules are those of memory-store.ts; a test compares the two.
 */
const script = `
local states, versions, contents, stock, accounts, charges, tries, taken, history = unpack(KEYS)
local entry, name, order, a, b, c, d = unpack(ARGV)
local booked = false
local function enter(state, version)
  redis.call('HSET', states, order, state)
  redis.call('HSET', versions, order, version)
  booked = true
end
local function pay(cents)
  redis.call('HINCRBY', accounts, order, cents)
  redis.call('HINCRBY', accounts, '${till}', cents)
  booked = true
end
local function leave(item, left)
  redis.call('HSET', stock, item, left)
  booked = true
end
local function answerTo()
  if name == 'create' then
    local known = redis.call('HGET', contents, order)
    if known and known ~= b then return 'conflict' end
    if redis.call('HEXISTS', states, order) == 1 then return 'known' end
    redis.call('HSET', contents, order, b)
    enter('placed', a)
    return 'created'
  elseif name == 'charge' then
    if redis.call('SISMEMBER', charges, a) == 1 then return 'charged' end
    if tonumber(redis.call('HGET', tries, order) or 0) >= tonumber(c) then return 'given up' end
    redis.call('HINCRBY', tries, order, 1)
    if b == 'refused' then return 'unavailable' end
    redis.call('SADD', charges, a)
    pay(d)
    return 'charged'
  elseif name == 'refund' then
    if redis.call('SADD', charges, 'refund of ' .. order) == 1 then pay(-a) end
    return 'refunded'
  elseif name == 'take' then
    local known = redis.call('HGET', taken, order)
    if known then return known end
    local left = tonumber(redis.call('HGET', stock, a) or 0) - tonumber(b)
    local answer = left < 0 and 'sold out' or 'taken'
    if left >= 0 then leave(a, left) end
    redis.call('HSET', taken, order, answer)
    return answer
  elseif name == 'read stock' then
    return tonumber(redis.call('HGET', stock, a) or 0)
  elseif name == 'write stock' then
    leave(a, b)
    return 'taken'
  elseif name == 'advance' then
    local known = redis.call('HGET', versions, order)
    if known and tonumber(known) >= tonumber(b) then return 'stale' end
    enter(a, b)
    return 'advanced'
  end
  return redis.error_reply('no such effect: ' .. name)
end
local answer = answerTo()
if type(answer) == 'table' then return answer end
local time = redis.call('TIME')
local stamp = string.format('{"storeMs":%.3f,"answer":%s,"booked":%s,', time[1] * 1000 + time[2] / 1000,
  cjson.encode(answer), tostring(booked))
redis.call('RPUSH', history, stamp .. string.sub(entry, 2))
return answer`

const names = ['states', 'versions', 'contents', 'stock', 'accounts', 'charges', 'tries', 'taken', 'history'] as const

/** The effect's own values, in the order in which the script takes them. */
function valuesOf(effect: StoreEffect): (string | number)[] {
  switch (effect.do) {
    case 'create':
      return [effect.version, effect.content]
    case 'charge':
      return [effect.key, effect.card, effect.mostTries, effect.cents]
    case 'take':
      return [effect.item, effect.quantity]
    case 'read stock':
      return [effect.item]
    case 'write stock':
      return [effect.item, effect.left]
    case 'advance':
      return [effect.state, effect.version]
    case 'refund':
      return [effect.cents]
  }
}

type ScriptedRedis = Redis & { perform: (...keysAndArguments: (string | number)[]) => Promise<Answer> }

export class RedisStore implements AsyncDisposable {
  readonly redis: Redis
  readonly #scripted: ScriptedRedis
  readonly #prefix: string

  /**
   * Connects on first use. While Redis is unreachable, commands wait, and a command whose reply was lost is sent again.
   * So each effect must count once, however often it is performed.
   */
  constructor(url: string, prefix: string) {
    this.redis = new Redis(url, {
      maxRetriesPerRequest: null,
      retryStrategy: (attempt) => Math.min(20 * attempt, 200),
    })
    // The commands that wait for an answer report it.
    this.redis.on('error', () => {})
    this.redis.defineCommand('perform', { numberOfKeys: names.length, lua: script })
    this.#scripted = this.redis as ScriptedRedis
    this.#prefix = prefix
  }

  #key(name: (typeof names)[number]) {
    return `${this.#prefix}:${name}`
  }

  /** Sets the stock. Call it before the first order. */
  async fill(stock: Record<string, number>): Promise<void> {
    await this.redis.hset(this.#key('stock'), stock)
  }

  async perform(effect: StoreEffect, by: string, atMs: number): Promise<Answer> {
    const entry = JSON.stringify({ effect, by, atMs })
    const keys = names.map((name) => this.#key(name))
    return await this.#scripted.perform(...keys, entry, effect.do, effect.order, ...valuesOf(effect))
  }

  /** Everything that has been performed, starting at the entry with this index, in the store's order. */
  async history(from = 0): Promise<Entry[]> {
    return parsed(await this.redis.lrange(this.#key('history'), from, -1))
  }

  /** Everything at the same moment. */
  async books(): Promise<Books> {
    const all = this.redis
      .multi()
      .lrange(this.#key('history'), 0, -1)
      .hgetall(this.#key('states'))
      .hgetall(this.#key('stock'))
      .hgetall(this.#key('accounts'))
    type Hash = [null, Record<string, string>]
    const [[, lines], [, has], [, left], [, paid]] = (await all.exec()) as [[null, string[]], Hash, Hash, Hash]
    return {
      history: parsed(lines),
      states: has as Record<string, State>,
      stock: counted(left),
      accounts: counted(paid),
    }
  }

  async historyLength(): Promise<number> {
    return await this.redis.llen(this.#key('history'))
  }

  async stock(): Promise<Record<string, number>> {
    return counted(await this.redis.hgetall(this.#key('stock')))
  }

  /** The orders that are placed and neither paid nor failed, without their correlation ids. */
  async placed(): Promise<Order[]> {
    const states = await this.redis.hgetall(this.#key('states'))
    const ids = Object.keys(states).filter((id) => states[id] === 'placed')
    if (ids.length === 0) return []
    const contents = await this.redis.hmget(this.#key('contents'), ...ids)
    return ids.flatMap((id, at) => {
      const content = contents[at]
      return content ? [orderSchema.parse({ id, ...JSON.parse(content) })] : []
    })
  }

  /** Undefined for an unknown order. */
  async stateOf(order: string): Promise<string | undefined> {
    return (await this.redis.hget(this.#key('states'), order)) ?? undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.redis.status !== 'end') this.redis.disconnect()
  }
}

const parsed = (lines: string[]) => lines.map((line) => JSON.parse(line) as Entry)
const counted = (stock: Record<string, string>) =>
  Object.fromEntries(Object.entries(stock).map(([item, left]) => [item, Number(left)]))
