/** Redis with a replica and Sentinels. Clients ask a Sentinel who is the primary, and stay with it until it fails them. */
import { temporaryFolder } from '@repo/common/process/temporary'
import { connectRedis } from '@repo/common/servers/connect'
import { findFaketime, installFaketime, type WrongClock, wrongClock } from '@repo/common/servers/faketime'
import { startRedisPair } from '@repo/common/servers/sentinel'
import type { Action, Answer } from '../linear/history.ts'
import { kindOf, patienceMs, unsynced } from './system.ts'

/** Nothing is repeated that may have been carried out: it would be a second operation. */
const plain = {
  retryStrategy: () => null,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  connectTimeout: patienceMs,
}

/** In seconds. */
const anHour = 3_600

const pairOf = (waits: boolean) =>
  kindOf(async (stack, signal) => {
    const folder = stack.use(await temporaryFolder())
    const library = await findFaketime()
    const clocks = new Map<string, WrongClock>()
    if (library) for (const node of ['a', 'b']) clocks.set(node, await wrongClock(library, `${folder.path}/${node}`))
    const pair = stack.use(await startRedisPair({ env: (node) => clocks.get(node)?.env, signal }))
    return {
      ...pair,
      durability: `the primary has it on disk (fsync)${waits ? ', and the replica has it (WAIT 1)' : ''}`,
      network: pair,
      ...(library && { setClock: async (node, isWrong) => await clocks.get(node)?.set(isWrong ? anHour : 0) }),
      untried: [unsynced, ...(library ? [] : [`a wrong clock: needs libfaketime: ${installFaketime}`])],
      async connect() {
        const connection = await connectRedis(pair.url((await pair.primary()) ?? ''), plain)
        return { ask: (key, does) => perform(connection, key, does, waits), close: () => connection.disconnect() }
      },
      refusals: /READONLY|LOADING|MASTERDOWN/,
      leader: pair.primary,
    }
  })
export const redis = pairOf(false)
/** A client takes a write for done when the replica has it, too: WAIT 1. */
export const redisWait = pairOf(true)

/** A script in Redis is carried out as one step. What does not exist is false in Lua. */
const compareAndSet = `
local now = redis.call('GET', KEYS[1])
if (ARGV[1] == 'none' and now == false) or (ARGV[1] == 'value' and now == ARGV[2]) then
  redis.call('SET', KEYS[1], ARGV[3])
  return 1
end
return 0`

async function perform(
  connection: Awaited<ReturnType<typeof connectRedis>>,
  key: string,
  does: Action,
  waits: boolean,
): Promise<Answer> {
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
