/** Three nodes of etcd, as it is configured by default, with a password. */
import { decode, encode, logIn, startEtcd } from '@repo/common/servers/etcd'
import type { Action, Answer } from '../linear/history.ts'
import { goClock, type Kind, unsynced } from './system.ts'

const nodes = ['a', 'b', 'c']

export const etcd: Kind = async (signal) => {
  const cluster = await startEtcd(nodes, { signal })
  return {
    ...cluster,
    nodes,
    durability: 'a majority has it on disk (fsync)',
    network: cluster.links,
    untried: [goClock, unsynced],
    async connect(node) {
      const send = await logIn(cluster.url(node), cluster.password)
      return { ask: (key, does) => perform(send, encode(key), does) }
    },
    // A node that was restarted has forgotten the tokens; or nobody listens.
    refusals: /invalid auth token|ECONNREFUSED/,
  }
}

async function perform(send: Awaited<ReturnType<typeof logIn>>, key: string, does: Action): Promise<Answer> {
  if ('read' in does) {
    const value = (await send('kv/range', { key })).kvs?.[0]?.value
    return { read: value === undefined ? null : decode(value) }
  }
  if ('write' in does) {
    await send('kv/put', { key, value: encode(does.write) })
    return { isDone: true }
  }
  // A key that does not exist has version 0.
  const expected =
    does.from === null ? { target: 'VERSION', version: '0' } : { target: 'VALUE', value: encode(does.from) }
  const success = [{ requestPut: { key, value: encode(does.to) } }]
  const { succeeded = false } = await send('kv/txn', { compare: [{ key, ...expected }], success })
  return { isDone: succeeded }
}
