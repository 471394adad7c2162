/** Three nodes of etcd. */
import { call, decode, type EtcdAnswer, encode, startEtcd } from '@repo/common/servers/etcd'
import type { Action, Answer } from '../linear/history.ts'
import { goClock, type Kind, type System, unsynced } from './system.ts'

const nodes = ['a', 'b', 'c']

/** etcd as it is configured by default, with a password. */
export const etcd: Kind = {
  async start({ signal }): Promise<System> {
    const cluster = await startEtcd(nodes, { signal })
    const { version, children, links, url, password } = cluster
    return {
      version,
      durability: 'a majority has it on disk (fsync)',
      nodes,
      children,
      network: links,
      untried: [goClock, unsynced],
      async connect(attempt) {
        const to = url(nodes[attempt % nodes.length] as string)
        const { token } = await call(to, 'auth/authenticate', { name: 'root', password })
        return {
          async ask(key, does) {
            try {
              return await perform(to, token, key, does)
            } catch (error) {
              // A node that was restarted has forgotten the tokens; or nobody listens.
              if (/invalid auth token/.test(String(error))) return 'did not happen'
              if ((error as { cause?: NodeJS.ErrnoException }).cause?.code === 'ECONNREFUSED') return 'did not happen'
              throw error
            }
          },
        }
      },
      async leader() {
        const statuses = await Promise.all(
          nodes.map(async (node) => {
            const { header, leader, raftTerm }: EtcdAnswer = await call(url(node), 'maintenance/status', {}).catch(
              () => ({}),
            )
            return { node, isLeader: leader !== undefined && leader === header?.member_id, term: Number(raftTerm ?? 0) }
          }),
        )
        return statuses.filter(({ isLeader }) => isLeader).sort((a, b) => b.term - a.term)[0]?.node
      },
      [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
    }
  },
}

async function perform(to: string, token: string | undefined, key: string, does: Action): Promise<Answer> {
  const place = { key: encode(key) }
  if ('read' in does) {
    const value = (await call(to, 'kv/range', place, token)).kvs?.[0]?.value
    return { read: value === undefined ? null : decode(value) }
  }
  if ('write' in does) {
    await call(to, 'kv/put', { ...place, value: encode(does.write) }, token)
    return { isDone: true }
  }
  // A key that does not exist has version 0.
  const expected =
    does.from === null ? { target: 'VERSION', version: '0' } : { target: 'VALUE', value: encode(does.from) }
  const success = [{ requestPut: { ...place, value: encode(does.to) } }]
  const { succeeded = false } = await call(to, 'kv/txn', { compare: [{ ...place, ...expected }], success }, token)
  return { isDone: succeeded }
}
