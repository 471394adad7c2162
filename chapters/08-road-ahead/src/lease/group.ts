/** A lock's server, a document's store and three clients in the simulator, and what must hold of them. */
import { scenarios } from '@repo/simulator/search'
import { type System, timedFates } from '@repo/simulator/simulator'
import fc from 'fast-check'
import { stand } from './candidate.ts'
import { addItem } from './holder.ts'
import { describe, type Message } from './lease.ts'
import type { Mistake } from './mistakes.ts'
import { startServer } from './server.ts'

const clients = ['p', 'q', 'r']
export const nodes = ['lock', 'store', ...clients]

/** What each client does: it adds an item while it holds the lock, or it stands for election from then on. */
const times = {
  add: { requestEveryMs: 40, leaseMs: 60, againMs: 25 },
  stand: { requestEveryMs: 5, leaseMs: 100, againMs: 40 },
}

export interface Violation {
  rule: 'no write is lost' | 'only the holder frees the lock' | 'one leads at most'
  detail: string
}

/** A clock gains or loses up to 100 ms a second. So two of them differ by less than twice as much. */
const mostDrift = 100

/** The group for the simulator. With each request, it is the next client's turn. */
export function leaseGroup(does: keyof typeof times, mistake?: Mistake): System<string, 'next', Message, Violation> {
  const { requestEveryMs, leaseMs, againMs } = times[does]
  return {
    nodes,
    requestEveryMs,
    mostMs: 700,
    mostMessages: 1_000,
    describe,
    begin(world) {
      const written: string[] = []
      /** Until when each client believes that it has the lease, by its own clock. */
      const until = new Map<string, number>()
      const holds = (client: string) => world.clock(client) < (until.get(client) ?? Number.NEGATIVE_INFINITY)
      let haveTwoHeld = false
      let requests = 0
      let onDisk = ''
      const report = (rule: Violation['rule'], detail: string) => world.report({ rule, detail })

      return {
        request() {
          const name = clients[requests++ % clients.length] ?? ''
          function onHold(untilMs: number) {
            until.set(name, untilMs)
            if (!holds(name)) return
            // Faults may follow on this: at the client, and at the one who has given it the lock.
            world.mark(name)
            world.mark('lock')
            const other = clients.find((client) => client !== name && holds(client))
            if (other && does === 'stand') report('one leads at most', `${other} and ${name} both lead`)
            haveTwoHeld ||= other !== undefined
          }
          const by = does === 'add' ? `${name}${requests}` : name
          const options = { by, leaseMs, againMs, clock: () => world.clock(name), mistake, onHold }
          function* add() {
            if ((yield* addItem(options)) === 'written') written.push(by)
          }
          world.run(name, does === 'add' ? add() : stand({ ...options, drift: (2 * mostDrift) / 1_000 }))
        },
        start(name, disk) {
          // What a client believed before a crash is gone.
          until.delete(name)
          if (clients.includes(name)) return () => undefined
          return startServer(disk, {
            clock: () => world.clock(name),
            mistake,
            onSaved(value) {
              onDisk = value
            },
            onTheft: (by, from) =>
              report('only the holder frees the lock', `${by} freed the lock of ${from}, whose lease was running`),
          })
        },
        check() {
          const lost = written.find((item) => !onDisk.split(' ').includes(item))
          // A message that comes twice may also lose a write, but the search is for two holders.
          if (lost === undefined || (mistake && !haveTwoHeld)) return []
          return [{ rule: 'no write is lost', detail: `the store has acknowledged ${lost}, and has only "${onDisk}"` }]
        },
      }
    },
  }
}

const next = fc.constant('next' as const)
const timed = { atMs: fc.nat(400), ms: fc.integer({ min: 1, max: 300 }) }
const node = fc.nat(nodes.length - 1)

/** A few requests and faults of all kinds; most often a client or the lock's server is struck when the lock has just been given. */
export const lockScenarios = scenarios({
  requests: fc.array(next, { minLength: 1, maxLength: 4 }),
  nodes: nodes.length,
  messages: 40,
  withinMs: 200,
  marks: fc.array(
    fc.record({
      number: fc.integer({ min: 1, max: 6 }),
      fate: fc.constantFrom('pause' as const, 'crash' as const),
      afterMs: fc.nat(20),
      ms: fc.integer({ min: 1, max: 200 }),
    }),
    { maxLength: 3 },
  ),
})

/** Up to three candidates, faults of most kinds, and clocks that run too fast or too slow within the bound. */
export const electScenarios = scenarios({
  requests: fc.array(next, { minLength: 1, maxLength: 3 }),
  nodes: nodes.length,
  messages: 40,
  withinMs: 400,
  strikes: fc.oneof(
    fc.record({ node, fate: fc.constantFrom('pause', 'partition', 'deaf', 'mute'), ...timed }),
    // Only the lock's server crashes: a candidate that does takes nobody for the leader.
    fc.record({ node: fc.constant(nodes.indexOf('lock')), fate: fc.constantFrom(...timedFates), ...timed }),
    fc.record({
      node,
      fate: fc.constant('drift'),
      atMs: fc.nat(50),
      ms: fc.oneof(fc.constantFrom(-mostDrift, mostDrift), fc.integer({ min: -mostDrift, max: mostDrift })),
    }),
  ),
})
