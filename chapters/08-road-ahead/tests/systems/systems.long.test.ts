/** Each system answers as a register does, also after every fault, and leaves nothing. */
import { until } from '@repo/common/async/until'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { findEtcd, findNats, installStores } from '@repo/common/servers/stores'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import { etcd } from '../../src/systems/etcd.ts'
import { nats, natsLeader } from '../../src/systems/nats.ts'
import { raft } from '../../src/systems/raft.ts'
import { redis, redisWait } from '../../src/systems/redis.ts'
import { clientOf, type Kind } from '../../src/systems/system.ts'

leavesNothingRunning()

function answersAsARegister(kind: Kind) {
  it('reads, writes, compares and sets, and goes on after every fault', async () => {
    await using system = await kind.start()
    using client = clientOf(system, 0)
    expect(system.version).not.toBe('')
    /** The first answer, however many nodes have to be tried. */
    const ask: typeof client.ask = (key, does) =>
      until(async () => {
        const outcome = await client.ask(key, does)
        return typeof outcome === 'object' ? outcome : undefined
      })
    expect(await ask('x', { read: true })).toEqual({ read: null })
    expect(await client.ask('x', { from: '1', to: '2' })).toEqual({ isDone: false })
    expect(await client.ask('x', { from: null, to: '1' })).toEqual({ isDone: true })
    expect(await client.ask('x', { from: null, to: '2' })).toEqual({ isDone: false })
    expect(await client.ask('x', { from: '1', to: '2' })).toEqual({ isDone: true })
    expect(await client.ask('x', { write: '3' })).toEqual({ isDone: true })
    expect(await client.ask('x', { read: true })).toEqual({ read: '3' })

    const leader = await until(() => system.leader())
    expect(system.nodes).toContain(leader)
    await system.children.get(leader).kill()
    await system.children.restart(leader)
    expect(await ask('x', { read: true })).toEqual({ read: '3' })

    // Whoever is cut off, the others have somebody else before the links are healed.
    const second = await until(() => system.leader())
    system.network.cut(second)
    await until(async () => {
      await client.ask('y', { read: true })
      return (await system.leader()) !== second
    })
    system.network.heal()
    expect(await ask('x', { read: true })).toEqual({ read: '3' })

    await Promise.all(system.nodes.map((node) => system.children.get(node).kill()))
    await Promise.all(system.nodes.map((node) => system.children.restart(node)))
    expect(await ask('x', { read: true })).toEqual({ read: '3' })
  })
}

const withRedis = { name: 'Redis', found: await findRedisServer(), install: installRedis }
const withEtcd = { name: 'etcd', found: await findEtcd(), install: installStores }
const withNats = { name: 'NATS', found: await findNats(), install: installStores }

describe('raft', () => answersAsARegister(raft))
describeReal('redis', withRedis, () => answersAsARegister(redis))
describeReal('redis-wait', withRedis, () => answersAsARegister(redisWait))
describeReal('etcd', withEtcd, () => answersAsARegister(etcd))
describeReal('nats', withNats, () => answersAsARegister(nats))
describeReal('nats-leader', withNats, () => answersAsARegister(natsLeader))
