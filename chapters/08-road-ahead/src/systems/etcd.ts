/** Three nodes of etcd, as it is configured by default, with a password. */
import { call, decode, type EtcdAnswer, encode, startEtcd } from '@repo/common/servers/etcd'
import type { Action, Answer } from '../linear/history.ts'
import { goClock, kindOf, unsynced } from './system.ts'

const nodes = ['a', 'b', 'c']

export const etcd = kindOf(async (stack, signal) => {
  const cluster = stack.use(await startEtcd(nodes, { signal }))
  const { links, url, password } = cluster
  return {
    ...cluster,
    nodes,
    durability: 'a majority has it on disk (fsync)',
    network: links,
    untried: [goClock, unsynced],
    async connect(attempt) {
      const to = url(nodes[attempt % nodes.length] as string)
      const { token } = await call(to, 'auth/authenticate', { name: 'root', password })
      return { ask: (key, does) => perform((path, body) => call(to, `kv/${path}`, body, token), encode(key), does) }
    },
    // A node that was restarted has forgotten the tokens; or nobody listens.
    refusals: /invalid auth token|ECONNREFUSED/,
    async leader() {
      const asked = nodes.map(async (node) => {
        const { header, leader, raftTerm } = await call(url(node), 'maintenance/status', {})
        return leader !== undefined && leader === header?.member_id ? [{ node, term: Number(raftTerm) }] : []
      })
      const leaders = (await Promise.allSettled(asked)).flatMap((each) =>
        each.status === 'fulfilled' ? each.value : [],
      )
      return leaders.sort((a, b) => b.term - a.term)[0]?.node
    },
  }
})

async function perform(
  send: (path: string, body: object) => Promise<EtcdAnswer>,
  key: string,
  does: Action,
): Promise<Answer> {
  if ('read' in does) {
    const value = (await send('range', { key })).kvs?.[0]?.value
    return { read: value === undefined ? null : decode(value) }
  }
  if ('write' in does) {
    await send('put', { key, value: encode(does.write) })
    return { isDone: true }
  }
  // A key that does not exist has version 0.
  const expected =
    does.from === null ? { target: 'VERSION', version: '0' } : { target: 'VALUE', value: encode(does.from) }
  const success = [{ requestPut: { key, value: encode(does.to) } }]
  const { succeeded = false } = await send('txn', { compare: [{ key, ...expected }], success })
  return { isDone: succeeded }
}
