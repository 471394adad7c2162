/** A Raft group with its clients, as a system for the simulator, and what must hold of it. */
import { scenarios } from '@repo/simulator/search'
import { type Scenario, type System, timedFates } from '@repo/simulator/simulator'
import fc from 'fast-check'
import type { Operation } from '../linear/history.ts'
import { contradictionIn } from '../linear/shorten.ts'
import { startClient } from './client.ts'
import { describe, type Entry, type Message } from './messages.ts'
import type { Mistake } from './mistakes.ts'
import { startServer } from './server.ts'

/** A request of a client, by its index. */
export interface Request {
  client: number
  key: string
  does: 'read' | 'write' | 'cas'
}

/** What broke. */
export interface Violation {
  /** What does not hold, in the words of the paper where it has some. */
  rule: 'election safety' | 'state machine safety' | 'leader completeness' | 'linearizability' | 'liveness'
  detail: string
}

const servers = ['a', 'b', 'c', 'd', 'e']
const clients = ['p', 'q', 'r']

/** A run ends when nobody has asked for anything for this time: what went wrong may show only under another leader. */
const quietMs = 500
/** Within this time every request must be answered: the last fault is over long before. */
const mostMs = 5_000

/** The group for the simulator, of 3 servers or 5. */
export function raftGroup(size: 3 | 5 = 3, mistake?: Mistake): System<string, Request, Message, Violation> {
  const group = servers.slice(0, size)
  return {
    nodes: [...group, ...clients],
    requestEveryMs: 15,
    mostMs,
    mostMessages: 3_000,
    describe,
    begin(world) {
      const history: Operation[] = []
      const leaders = new Map<number, string>()
      /** What was carried out at each index, by whoever did so first, and in which term. */
      const carriedOut: { entry: Entry; by: string; inTerm: number }[] = []
      // With patient clients, as with few heartbeats, a history is easier to read.
      const customers = clients.map((name) => startClient(world, { name, servers: group, history, patienceMs: 180 }))
      let writes = 0
      let busyMs = 0

      function watch(): undefined {
        if (customers.some(({ isBusy }) => isBusy)) busyMs = world.now
        if (world.now - busyMs > quietMs) world.stop()
        else world.later('p', 100, watch)
      }
      watch()
      const report = (rule: Violation['rule'], detail: string) => world.report({ rule, detail })
      function judge() {
        const contradiction = contradictionIn(history)
        if (contradiction) report('linearizability', contradiction)
      }

      return {
        request({ client, key, does }) {
          const value = `${++writes}`
          const ask = {
            read: { read: true },
            write: { write: value },
            cas: { from: writes > 1 ? `${writes - 1}` : null, to: value },
          } as const
          customers[client]?.request(key, ask[does], judge)
        },
        start(name, disk, own) {
          const customer = customers[clients.indexOf(name)]
          if (customer) return customer.receive
          return startServer(own, disk, {
            name,
            servers: group,
            mistake,
            heartbeatMs: 100,
            mostEntries: 1,
            // The first election takes no time: what follows is what matters.
            firstMs: name === 'a' && world.now === 0 ? 1 : undefined,
            onLeader(term, log) {
              const other = leaders.get(term) ?? name
              if (other !== name) report('election safety', `${other} and ${name} both lead term ${term}`)
              leaders.set(term, name)
              world.mark(name)
              // Who is elected late, when a newer term has begun, need not have what was committed in that.
              const lost = carriedOut.findIndex(({ entry, inTerm }, at) => inTerm < term && !isSame(entry, log[at]))
              if (lost < 0) return
              const { entry, by } = carriedOut[lost]
              report(
                'leader completeness',
                `${by} carried out entry ${lost + 1} of term ${entry.term}; ${name}, the leader of term ${term}, does not have it`,
              )
            },
            onApply(index, entry, inTerm) {
              carriedOut[index - 1] ??= { entry, by: name, inTerm }
              const first = carriedOut[index - 1]
              if (!isSame(first.entry, entry))
                report('state machine safety', `${first.by} and ${name} carried out different entries ${index}`)
            },
          })
        },
        check() {
          const open = customers.filter(({ isBusy }) => isBusy).length
          // A mistake may also stop everything, but the search is for what is worse.
          if (open === 0 || mistake !== undefined) return []
          return [{ rule: 'liveness', detail: `${open} clients got no answer within ${mostMs} ms` }]
        },
      }
    },
  }
}

const isSame = (a: Entry, b: Entry | undefined) =>
  a.term === b?.term && a.command?.client === b.command?.client && a.command?.number === b.command?.number

/**
 * Scenarios for a group: requests on two keys, and above all crashes and silence, which elections are for.
 *
 * @param options.requests the most in a history
 */
export function raftScenarios({ size = 3, requests = 10 } = {}): fc.Arbitrary<Scenario<Request>> {
  const request = fc.record({
    client: fc.nat(clients.length - 1),
    key: fc.constantFrom('x', 'y'),
    does: fc.constantFrom('write', 'read', 'cas'),
  })
  const withinMs = 500
  // The first leader is struck more often than others.
  const node = fc.oneof(fc.constant(0), fc.nat(size - 1))
  const atMs = fc.nat(withinMs)
  // A short absence is about as long as an election takes.
  const ms = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 20, max: 300 }))
  const strikes = fc.oneof(
    fc.record({ node, fate: fc.constantFrom(...timedFates), atMs, ms }),
    fc.record({ node, fate: fc.constant('crash after'), effects: fc.integer({ min: 1, max: 60 }), ms }),
    fc.record({ node, fate: fc.constantFrom('crash', 'mute'), atMs, ms }),
  )
  // Figure 8 of the paper needs three leaders in a row that fall silent or crash: one fault for each in turn.
  const afterElection = fc.record({
    fate: fc.constantFrom('crash', 'mute'),
    afterMs: fc.nat(40),
    ms: fc.integer({ min: 50, max: 400 }),
  })
  const marks = fc
    .array(fc.option(afterElection), { minLength: 3, maxLength: 5 })
    .map((list) => list.flatMap((strike, at) => (strike === null ? [] : [{ number: at + 1, ...strike }])))
  const wanted = fc.array(request, { maxLength: requests })
  return scenarios({ requests: wanted, nodes: size, messages: 60, withinMs, strikes, marks })
}
