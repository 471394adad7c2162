/** Copies, clients and a keeper of hints in the simulator, and the search for a history that no order explains. */
import { scenarios } from '@repo/simulator/search'
import type { Scenario, System } from '@repo/simulator/simulator'
import fc from 'fast-check'
import { checkHistory } from '../linear/check.ts'
import { type Operation, operationText } from '../linear/history.ts'
import { shorten } from '../linear/shorten.ts'
import { createClient, describe, type Entry, type Message, type Setting, startCopy } from './quorum.ts'

/** A request of a client, by its index. Each write has another value. */
export interface Request {
  client: number
  key: string
  does: 'read' | 'write'
}

/** An operation, and once it has ended the version that was read or written; null if there was none. */
export type Done = Operation & { entry?: Entry | null }

/** A run so far: what clients know, and what each copy has on its disk. */
export interface Seen {
  history: Done[]
  copies: ReadonlyMap<string, ReadonlyMap<string, Entry>>
}

export const clients = ['p', 'q', 'r', 's']
export const requestEveryMs = 10

interface SystemOptions<Result> {
  mostMs: number
  /** Returns what is to be said about a run at its end. */
  check: (seen: Seen) => Result[]
  /** Returns whether the run may end after an answer. */
  isOver?: (seen: Seen) => boolean
}

/** The system: its copies come first, then the clients, then the keeper. */
export function quorumSystem<Result>(
  setting: Setting,
  { mostMs, check, isOver = () => false }: SystemOptions<Result>,
): System<string, Request, Message, Result> {
  return {
    nodes: [...setting.copies, ...clients, setting.keeper],
    requestEveryMs,
    mostMs,
    mostMessages: Number.POSITIVE_INFINITY,
    describe,
    begin(world) {
      const history: Done[] = []
      const copies = new Map<string, ReadonlyMap<string, Entry>>()
      const customers = clients.map((name) => createClient(world, name, setting))
      return {
        request({ client, key, does }) {
          // A search varies numbers.
          const at = client % clients.length
          const value = `${history.length + 1}`
          const operation: Done = { client: clients[at], key, does: { read: true }, beginMs: world.now }
          if (does === 'write') operation.does = { write: value }
          history.push(operation)
          const onEnd = (entry: Entry | null | undefined) => {
            if (entry === undefined) return
            const answer = does === 'read' ? { read: entry?.value ?? null } : { isDone: true }
            Object.assign(operation, { entry, ended: { atMs: world.now, ...answer } })
            if (isOver({ history, copies })) world.stop()
          }
          const { read, write } = customers[at]
          world.run(clients[at], does === 'read' ? read(key, onEnd) : write(key, value, onEnd))
        },
        start(name, disk) {
          const at = clients.indexOf(name)
          if (at >= 0) return customers[at].receive
          const { receive, entries } = startCopy(world, name, disk)
          copies.set(name, entries)
          return receive
        },
        check: () => check({ history, copies }),
      }
    },
  }
}

/** The system for a search. Its violations are the operations that no order explains. */
export function searched(setting: Setting): System<string, Request, Message, string> {
  const check = ({ history }: Seen) => {
    if (checkHistory(history, { budget: 100_000 }).verdict !== 'not linearizable') return []
    return [
      shorten(history)
        .map((operation) => `${operation.client}: ${operationText(operation)}`)
        .join('; '),
    ]
  }
  return quorumSystem(setting, { mostMs: 2_000, check, isOver: (seen) => check(seen).length > 0 })
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
