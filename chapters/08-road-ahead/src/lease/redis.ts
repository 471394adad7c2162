/** Leases on Redis: a key that expires, whose value says who holds the lock. Each script is carried out as one step. */
import { connectRedis } from '@repo/common/servers/connect'
import { startRedis } from '@repo/common/servers/redis'
import type { LeaseStore } from './lease.ts'

// #region take
/** KEYS: the lock and the last token. ARGV: who asks, and for how many ms. */
const take = `
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return redis.call('INCR', KEYS[2]) end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return tonumber(redis.call('GET', KEYS[2]))`
// #endregion take

const releaseOwn = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

/** KEYS: the document and the highest token seen. ARGV: the token or nothing, and perhaps a value to write. */
const readOrWrite = `
local seen = tonumber(redis.call('GET', KEYS[2]) or 0)
local token = tonumber(ARGV[1]) or seen
if token < seen then return false end
redis.call('SET', KEYS[2], token)
if ARGV[2] then redis.call('SET', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1]) or ''`

export const redis: LeaseStore = {
  async start(signal) {
    const server = await startRedis({ own: true, signal })
    return { ...server, place: { store: 'redis', port: server.port, password: server.password ?? '' } }
  },

  async connect({ port, password }) {
    const connection = await connectRedis(`redis://:${password}@127.0.0.1:${port}`, { maxRetriesPerRequest: 1 })
    return {
      async ask(name, question) {
        const lock = `${name}:lock`
        if (question.do === 'take') {
          const token = Number(await connection.eval(take, 2, lock, `${name}:tokens`, question.by, question.ms))
          return token === 0 ? { isDone: false } : { isDone: true, token }
        }
        if (question.do === 'release') {
          const { by, compares } = question
          const freed = compares ? await connection.eval(releaseOwn, 1, lock, by) : await connection.del(lock)
          return { isDone: freed === 1 }
        }
        const written = question.do === 'write' ? [question.value] : []
        const args = [`${name}:document`, `${name}:seen`, question.token ?? '', ...written]
        const value = await connection.eval(readOrWrite, 2, ...args)
        return value === null ? { isDone: false } : { isDone: true, value: String(value) }
      },
      [Symbol.asyncDispose]: async () => connection.disconnect(),
    }
  },
}
