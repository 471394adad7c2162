/**
 * Leases on etcd: a lease is a thing of its own, and a key that belongs to one is gone when it ends. The token is the revision
 * of the store at which the lock's key was created. One node is enough to see what a lease does.
 */
import { decode, encode, logIn, startEtcd } from '@repo/common/servers/etcd'
import type { Answer, LeaseStore } from './lease.ts'

export const etcd: LeaseStore = {
  async start(signal) {
    // No lease is shorter than one and a half of these. Leases are whole seconds.
    const node = await startEtcd(['a'], { settings: { 'election-timeout': '500' }, signal })
    return { ...node, place: { store: 'etcd', port: node.links.clientPort('a'), password: node.password } }
  },

  async connect({ port, password }) {
    const send = await logIn(`http://127.0.0.1:${port}`, password)
    const find = async (key: string) => (await send('kv/range', { key })).kvs?.[0]

    async function take(key: string, by: string, ms: number): Promise<Answer> {
      const found = await find(key)
      if (found && decode(found.value) !== by) return { isDone: false }
      if (found) {
        const { result } = await send('lease/keepalive', { ID: found.lease })
        if (Number(result?.TTL ?? 0) > 0) return { isDone: true, token: Number(found.create_revision) }
      }
      const { ID: lease } = await send('lease/grant', { TTL: ms / 1_000 })
      const isMissing = { key, target: 'CREATE', createRevision: '0' }
      const success = [{ requestPut: { key, value: encode(by), lease } }]
      const { succeeded = false, header } = await send('kv/txn', { compare: [isMissing], success })
      if (succeeded) return { isDone: true, token: Number(header?.revision) }
      await send('lease/revoke', { ID: lease })
      return { isDone: false }
    }

    return {
      async ask(name, question) {
        const lock = encode(`${name}/lock`)
        if (question.do === 'take') return await take(lock, question.by, question.ms)
        if (question.do === 'release') {
          if (!question.compares) return { isDone: (await send('kv/deleterange', { key: lock })).deleted !== undefined }
          const found = await find(lock)
          if (!found || decode(found.value) !== question.by) return { isDone: false }
          // With the lease its key is gone, and nobody else's.
          await send('lease/revoke', { ID: found.lease })
          return { isDone: true }
        }
        const { token } = question
        const key = encode(`${name}/document`)
        // The document is in the same store as the lock, so a transaction can ask whether this grant still holds.
        const compare = token === undefined ? [] : [{ key: lock, target: 'CREATE', createRevision: String(token) }]
        const writes = question.do === 'write' ? [{ requestPut: { key, value: encode(question.value) } }] : []
        const success = [...writes, { requestRange: { key } }]
        const { succeeded = false, responses = [] } = await send('kv/txn', { compare, success })
        const value = responses.at(-1)?.response_range?.kvs?.[0]?.value
        return { isDone: succeeded, value: decode(value ?? '') }
      },
      async [Symbol.asyncDispose]() {},
    }
  },
}
