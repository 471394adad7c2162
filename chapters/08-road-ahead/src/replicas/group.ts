/** Copies, clients and a keeper of hints in the simulator, and the search for a history that no order explains. */
import { scenarios } from '@repo/simulator/search'
import type { Scenario, System } from '@repo/simulator/simulator'
import fc from 'fast-check'
import type { Operation } from '../linear/history.ts'
import { contradictionIn } from '../linear/shorten.ts'
import { createClient, describe, type Entry, type Message, type Setting, startCopy } from './quorum.ts'

/** A request of a client, by its index. Each write has another value. */
export interface Request {
  client: number
  key: string
  does: 'read' | 'write'
}

/** An operation, and once it has ended the version that was read or written; null if there was none. */
export type Done = Operation & { entry?: Entry | null }

/** A run so far: what clients know, and what each copy has. */
export const nothingSeen = () => ({ history: [] as Done[], copies: new Map<string, ReadonlyMap<string, Entry>>() })
export type Seen = ReturnType<typeof nothingSeen>

export const clients = ['p', 'q', 'r', 's']
export const requestEveryMs = 10

/**
 * The system: its copies come first, then the clients, then the keeper. Its violations are the operations that no order
 * explains.
 *
 * @param seen empty at first, gets what is to be seen of a single run; then nothing is a violation
 */
export function quorumSystem(setting: Setting, mostMs = 2_000, seen?: Seen): System<string, Request, Message, string> {
  return {
    nodes: [...setting.copies, ...clients, setting.keeper],
    requestEveryMs,
    mostMs,
    describe,
    begin(world) {
      const { history, copies } = seen ?? nothingSeen()
      const customers = clients.map((name) => createClient(world, name, setting))

      function* carryOut(at: number, operation: Done) {
        const { key, does } = operation
        const isWrite = 'write' in does
        const entry = yield* isWrite ? customers[at].write(key, does.write) : customers[at].read(key)
        if (entry === undefined) return
        operation.entry = entry
        operation.ended = { atMs: world.now, ...(isWrite ? { isDone: true } : { read: entry?.value ?? null }) }
        const contradiction = seen ? undefined : contradictionIn(history)
        if (contradiction) world.report(contradiction)
      }

      return {
        request({ client, key, does }) {
          // A search varies numbers.
          const at = client % clients.length
          const action = does === 'read' ? { read: true as const } : { write: `${history.length + 1}` }
          const operation: Done = { client: clients[at], key, does: action, beginMs: world.now }
          history.push(operation)
          world.run(clients[at], carryOut(at, operation))
        },
        start(name, disk) {
          if (clients.includes(name)) return () => undefined
          const { receive, entries } = startCopy(world, name, disk)
          copies.set(name, entries)
          return receive
        },
      }
    },
  }
}

/** Scenarios for a search: requests for one key, and faults of messages, of the copies and of the first client. */
export function searchedScenarios({ copies }: Setting): fc.Arbitrary<Scenario<Request>> {
  const key = fc.constant('x')
  // A history is easier to read when some only write and others only read.
  const write = fc.record({ client: fc.constantFrom(0, 1), key, does: fc.constant('write' as const) })
  const read = fc.record({ client: fc.constantFrom(2, 3), key, does: fc.constant('read' as const) })
  const requests = fc
    .tuple(write, fc.array(fc.oneof(write, read, read), { maxLength: 5 }))
    .map(([first, others]) => [first, ...others])
  return scenarios({ requests, nodes: copies.length + 1, messages: 8 * copies.length, withinMs: 40 })
}
