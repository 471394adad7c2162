/** Each system answers as a register does, also after every fault, and leaves nothing. */
import { isDeepStrictEqual } from 'node:util'
import { until } from '@repo/common/async/until'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { findEtcd, findNats, installStores } from '@repo/common/servers/stores'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import type { Action, Answer } from '../../src/linear/history.ts'
import { etcd } from '../../src/systems/etcd.ts'
import { nats, natsLeader } from '../../src/systems/nats.ts'
import { raft } from '../../src/systems/raft.ts'
import { redis, redisWait } from '../../src/systems/redis.ts'
import { clientOf, type Kind } from '../../src/systems/system.ts'

leavesNothingRunning()

/** What is asked first, one after the other, and the answers of a register. */
const steps: [Action, Answer][] = [
  [{ read: true }, { read: null }],
  [{ from: '1', to: '2' }, { isDone: false }],
  [{ from: null, to: '1' }, { isDone: true }],
  [{ from: null, to: '2' }, { isDone: false }],
  [{ from: '1', to: '2' }, { isDone: true }],
  [{ write: '3' }, { isDone: true }],
  [{ read: true }, { read: '3' }],
]

/** @param isLate whether a node that answers may not have heard yet of what was acknowledged */
function answersAsARegister(kind: Kind, { isLate = false } = {}) {
  it('reads, writes, compares and sets, and goes on after every fault', async () => {
    await using system = await kind()
    using client = clientOf(system, 0)
    expect(system.version).not.toBe('')
    /** Returns what the client knows afterwards, if an answer that is late is waited for. */
    const ask = (key: string, does: Action, answer: Answer) =>
      until(async () => {
        const outcome = await client.ask(key, does)
        return isLate && typeof outcome === 'object' && !isDeepStrictEqual(outcome, answer) ? undefined : outcome
      })
    let tries = 0
    // On a busy machine there may be no answer in time. Nobody knows what has happened, and another key begins anew.
    const { key, outcomes } = await until(async () => {
      const key = `x${++tries}`
      const outcomes = []
      for (const [does, answer] of steps) outcomes.push(await ask(key, does, answer))
      if (outcomes.some((outcome) => typeof outcome !== 'object')) return undefined
      return { key, outcomes }
    })
    expect(outcomes).toEqual(steps.map(([, answer]) => answer))
    /** Expects what was written last, however many nodes have to be tried. */
    const expectLast = async () => {
      const answer = { read: '3' }
      const outcome = await until(async () => {
        const outcome = await ask(key, { read: true }, answer)
        return typeof outcome === 'object' ? outcome : undefined
      })
      expect(outcome).toEqual(answer)
    }

    // A node that lacks what was acknowledged may take over otherwise.
    await system.settled?.()
    const leader = await until(() => system.leader())
    expect(system.nodes).toContain(leader)
    await system.children.get(leader).kill()
    await system.children.restart(leader)
    await expectLast()

    // Whoever is cut off, the others have somebody else before the links are healed.
    await system.settled?.()
    const second = await until(() => system.leader())
    system.network.cut(second)
    await until(async () => {
      await client.ask('y', { read: true })
      return (await system.leader()) !== second
    })
    system.network.heal()
    await expectLast()

    await system.settled?.()
    await Promise.all(system.nodes.map((node) => system.children.get(node).kill()))
    await Promise.all(system.nodes.map((node) => system.children.restart(node)))
    await expectLast()
  })
}

const withRedis = { name: 'Redis', found: await findRedisServer(), install: installRedis }
const withEtcd = { name: 'etcd', found: await findEtcd(), install: installStores }
const withNats = { name: 'NATS', found: await findNats(), install: installStores }

describe('raft', () => answersAsARegister(raft))
describeReal('redis', withRedis, () => answersAsARegister(redis))
describeReal('redis-wait', withRedis, () => answersAsARegister(redisWait))
describeReal('etcd', withEtcd, () => answersAsARegister(etcd))
// Any node answers reads, also one that does not know of the last write.
describeReal('nats', withNats, () => answersAsARegister(nats, { isLate: true }))
describeReal('nats-leader', withNats, () => answersAsARegister(natsLeader))
