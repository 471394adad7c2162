/** A lock's server, a store and three clients in the simulator, and what must hold of them. */
import { scenarios } from '@repo/simulator/search'
import type { System } from '@repo/simulator/simulator'
import fc from 'fast-check'
import { describe, type Message } from '../lease/lease.ts'
import { startLeaseServer } from '../lease/server.ts'
import { startDocument } from './document.ts'
import { addItem, type Mistake } from './holder.ts'

const clients = ['p', 'q', 'r']
export const nodes = ['lock', 'store', ...clients]

export interface Violation {
  rule: 'no write is lost' | 'only the holder frees the lock'
  detail: string
}

/** The group for the simulator. With each request, the next client adds an item. */
export function lockGroup(mistake?: Mistake): System<string, 'add', Message, Violation> {
  return {
    nodes,
    requestEveryMs: 40,
    mostMs: 2_000,
    mostMessages: 1_000,
    describe,
    begin(world) {
      const violations: Violation[] = []
      const written: string[] = []
      const holding = new Set<string>()
      let haveTwoHeld = false
      let items = 0
      let onDisk = ''

      function* work(client: string) {
        const by = `${client}${++items}`
        const clock = () => world.clock(client)
        function onHold(holds: boolean) {
          if (!holds) return void holding.delete(client)
          haveTwoHeld ||= holding.size > 0
          holding.add(client)
          // Faults may follow on this: at the client, and at the one who has given it the lock.
          world.mark(client)
          world.mark('lock')
        }
        const outcome = yield* addItem({ by, leaseMs: 60, retryMs: 25, clock, mistake, onHold })
        if (outcome === 'written') written.push(by)
      }

      return {
        request() {
          const client = clients[items % clients.length] ?? 'p'
          world.run(client, work(client))
        },
        start(name, disk) {
          if (name === 'store')
            return startDocument(disk, (value) => {
              onDisk = value
            })
          holding.delete(name)
          if (name !== 'lock') return () => undefined
          return startLeaseServer(disk, {
            clock: () => world.clock('lock'),
            forgetsTokens: mistake === 'forgets its tokens',
            onTheft(by, from) {
              const detail = `${by} freed the lock of ${from}, whose lease was running`
              violations.push({ rule: 'only the holder frees the lock', detail })
              world.stop()
            },
          })
        },
        check() {
          const lost = written.find((item) => !onDisk.split(' ').includes(item))
          // A message that comes twice may also lose a write, but the search is for two holders.
          if (lost === undefined || (mistake && !haveTwoHeld)) return violations
          const detail = `the store has acknowledged ${lost}, and has only "${onDisk}"`
          return [...violations, { rule: 'no write is lost', detail }]
        },
      }
    },
  }
}

const mark = fc.record({
  number: fc.integer({ min: 1, max: 6 }),
  fate: fc.constantFrom('pause' as const, 'crash' as const),
  afterMs: fc.nat(20),
  ms: fc.integer({ min: 1, max: 200 }),
})

/** A few requests and faults of all kinds; most often a client or the lock's server is struck when the lock has just been given. */
export const lockScenarios = scenarios({
  requests: fc.array(fc.constant('add' as const), { minLength: 1, maxLength: 4 }),
  nodes: nodes.length,
  messages: 40,
  withinMs: 200,
  marks: fc.array(mark, { maxLength: 3 }),
})
