/** Redis with a replica and Sentinels. Clients ask a Sentinel who is the primary, and stay with it until it fails them. */
import { until } from '@repo/common/async/until'
import { connectRedis, once } from '@repo/common/servers/connect'
import { installFaketime } from '@repo/common/servers/faketime'
import { startRedisPair } from '@repo/common/servers/sentinel'
import type { Action, Answer } from '../linear/history.ts'
import { type Kind, patienceMs, type System, unsynced } from './system.ts'

type Connection = Awaited<ReturnType<typeof connectRedis>>

/** In seconds. */
const anHour = 3_600

async function startPair({ waits }: { waits: boolean }, signal?: AbortSignal): Promise<System> {
  const pair = await startRedisPair(signal)
  const { setClock } = pair
  async function connectTo(node: string | undefined) {
    if (node === undefined) throw new Error('no Sentinel knows the primary')
    return await connectRedis(pair.url(node), { ...once, connectTimeout: patienceMs })
  }
  async function askAt<Result>(node: string | undefined, ask: (redis: Connection) => Promise<Result>) {
    const connection = await connectTo(node)
    return await ask(connection).finally(() => connection.disconnect())
  }
  const hasReplica = async () =>
    await askAt(await pair.primary(), async (redis) => {
      // What was written before this has reached the replica before this.
      await redis.set('settled', 'yes')
      return (await redis.wait(1, patienceMs)) === 1
    })
  /** A replica that has got everything anew takes a while to write it to its disk. */
  const isOnDisk = async (node: string) => {
    const info = await askAt(node, (redis) => redis.info('persistence'))
    return ['in_progress', 'scheduled'].every((what) => info.includes(`aof_rewrite_${what}:0`))
  }
  return {
    ...pair,
    durability: `the primary has it on disk (fsync)${waits ? ', and the replica has it (WAIT 1)' : ''}`,
    network: pair,
    setClock: setClock && ((node, isWrong) => setClock(node, isWrong ? anHour : 0)),
    untried: [unsynced, ...(setClock ? [] : [`a wrong clock: needs libfaketime: ${installFaketime}`])],
    async connect() {
      const connection = await connectTo(await pair.primary())
      return { ask: (key, does) => perform(connection, key, does, waits), close: () => connection.disconnect() }
    },
    refusals: /READONLY|LOADING|MASTERDOWN/,
    leader: pair.primary,
    async settled() {
      await until(hasReplica, { signal, what: 'the replica has what its primary has' })
      for (const node of pair.nodes) await until(() => isOnDisk(node), { signal, what: `${node} has it on its disk` })
    },
  }
}

export const redis: Kind = (signal) => startPair({ waits: false }, signal)
/** A client takes a write for done when the replica has it, too: WAIT 1. */
export const redisWait: Kind = (signal) => startPair({ waits: true }, signal)

/** A script in Redis is carried out as one step. What does not exist is false in Lua. */
const compareAndSet = `
local now = redis.call('GET', KEYS[1])
if (ARGV[1] == 'none' and now == false) or (ARGV[1] == 'value' and now == ARGV[2]) then
  redis.call('SET', KEYS[1], ARGV[3])
  return 1
end
return 0`

async function perform(connection: Connection, key: string, does: Action, waits: boolean): Promise<Answer> {
  if ('read' in does) return { read: await connection.get(key) }
  let isDone = true
  if ('write' in does) await connection.set(key, does.write)
  else {
    const expected = does.from === null ? ['none', ''] : ['value', does.from]
    isDone = (await connection.eval(compareAndSet, 1, key, ...expected, does.to)) === 1
  }
  // It is carried out either way: without the replica nobody knows whether it stays.
  if (isDone && waits && (await connection.wait(1, patienceMs)) === 0) throw new Error('the replica does not have it')
  return { isDone }
}
