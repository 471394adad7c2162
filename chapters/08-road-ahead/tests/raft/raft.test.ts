/** Raft in the simulator: no alarm without a mistake, each mistake found, and the paper's own examples. */
import { createHash } from 'node:crypto'
import { faults, search } from '@repo/simulator/search'
import { calm, historyText, type Scenario, type System, simulate } from '@repo/simulator/simulator'
import { describe, expect, it } from 'vitest'
import { type Request, raftGroup, raftScenarios } from '../../src/raft/group.ts'
import type { Entry, Message } from '../../src/raft/messages.ts'
import { startServer } from '../../src/raft/server.ts'
import { expectFound } from './found.ts'

const nodes = ['a', 'b', 'c', 'd', 'e', 'p', 'q', 'r']

/** The leader falls silent while three clients ask, and one message is late. */
const silent: Scenario<Request> = {
  requests: [
    { client: 0, key: 'x', does: 'write' },
    { client: 1, key: 'x', does: 'cas' },
    { client: 2, key: 'x', does: 'read' },
    { client: 0, key: 'y', does: 'write' },
  ],
  jitter: 12_345,
  messages: [{ number: 9, fate: 'late', ms: 150 }],
  nodes: [{ node: 0, fate: 'mute', atMs: 40, ms: 250 }],
  marks: [{ number: 2, fate: 'crash', afterMs: 20, ms: 60 }],
}

describe('without a mistake', () => {
  it.each([3, 5] as const)('%i servers break nothing in 200 histories, with any seed', async (size) => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const { found } = await search(raftGroup(size), { seed, scenarios: raftScenarios({ size }), histories: 200 })
    expect(found?.run.violations, `seed ${seed}`).toBeUndefined()
  })
})

describe('a history', () => {
  it('is the same, byte for byte, in each run of its scenario', () => {
    const [first, second] = [1, 2].map(() =>
      historyText(simulate(raftGroup(), silent, { record: true }).history, nodes),
    )
    expect(first).toBe(second)
    expect(first).toMatch(/a +sends nothing for 250 ms/)
  })

  it('is the one that Node 22, 24 and 26 had when this was written', () => {
    const text = historyText(simulate(raftGroup(5), silent, { record: true }).history, nodes)
    expect(createHash('sha256').update(text).digest('hex')).toBe(
      '902243a8379a16990c8600b08edcb44cd20b505de73dff666cf91164e373ce6c',
    )
  })
})

describe('a mistake', () => {
  it.each(['votes for old logs', 'half is enough', 'does not compare', 'always cuts', 'believes the leader'] as const)(
    'that %s is found within 10,000 histories, for two seeds',
    async (mistake) => {
      for (const seed of [1, 2]) await expectFound(mistake, seed)
    },
  )

  it('is nothing that the correct version does in the same scenario', async () => {
    const settings = { seed: 3, scenarios: raftScenarios(), histories: 10_000, beginnings: 1 }
    const { found } = await search(raftGroup(3, 'half is enough'), settings)
    expect(found).toBeDefined()
    if (!found) return
    expect(faults(found.shortest)).toBeGreaterThan(0)
    expect(simulate(raftGroup(), found.shortest).violations).toEqual([])
  })
})

/** Figure 7 of the paper: the terms of the entries in the logs when the leader of term 8 comes to power. */
const figure7 = {
  leader: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6],
  a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
  b: [1, 1, 1, 4],
  c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
  d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
  e: [1, 1, 1, 4, 4, 4, 4],
  f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
}

describe('the paper', () => {
  it.each([1, 20])('figure 7: all logs become the leader’s, %i entries at a time', (mostEntries) => {
    const servers = Object.keys(figure7)
    const done = new Map(servers.map((name) => [name, [] as number[]]))
    const leaders: string[] = []
    const system: System<string, never, Message, never> = {
      nodes: servers,
      mostMs: 600,
      describe: ({ kind }) => kind,
      begin: (world) => ({
        start(name) {
          const log = figure7[name as keyof typeof figure7].map((term): Entry => ({ term, command: undefined }))
          const disk = new Map([['1', JSON.stringify({ term: 7, from: 0, entries: log })]])
          return startServer(world, disk, {
            name,
            servers,
            mostEntries,
            // Nobody else stands before the leader is heard of.
            firstMs: name === 'leader' ? 1 : 500,
            onLeader: () => leaders.push(name),
            onApply: (_, { term }) => done.get(name)?.push(term),
          })
        },
      }),
    }
    simulate(system, calm)
    expect(leaders).toEqual(['leader'])
    for (const [name, terms] of done) expect(terms, name).toEqual([...figure7.leader, 8])
  })
})
