/** Two workers ship orders: first with nothing but slow messages, then with lost and doubled ones, and crashes. */
import { exercise, type Fault } from '@repo/exercises/exercise'
import { fromLine, underFaults } from '@repo/exercises/simulated'
import { scenarios } from '@repo/simulator/search'
import type { Effect, Scenario, System } from '@repo/simulator/simulator'
import fc from 'fast-check'

type Solution = typeof import('./exercise.ts')

export interface Order {
  id: string
  /** How many books. */
  quantity: number
}

/** The shelf, as the store keeps it. */
export interface Shelf {
  /** How many books are on it. */
  left: number
  /** The orders for which books were taken. It has what was written into it, and nothing else. */
  orders: readonly string[]
}

/** What runs with `yield*`: it may take a while, and the worker may crash meanwhile. */
export type Steps<Result> = Generator<Effect<Node, Message>, Result, Message>

/** The store. Each call is a message, which is sent again until there is an answer. */
export interface Store {
  /** Returns the shelf and its version, the number of writes so far. */
  read: () => Steps<{ shelf: Shelf; version: number }>
  /** Replaces the shelf. */
  write: (shelf: Shelf) => Steps<void>
  /** Replaces the shelf if its version is still this one. */
  writeIf: (version: number, shelf: Shelf) => Steps<'written' | 'conflict'>
}

type Node = 'worker 1' | 'worker 2' | 'store' | 'queue'
type Message =
  | { do: 'ship'; order: Order }
  | { do: 'read' }
  | { do: 'write'; order: string; shelf: Shelf; version?: number }
  | { do: 'shelf'; shelf: Shelf; version: number }
  | { do: 'written' | 'conflict' | 'shipped' | 'sold out' }

/** What became of an order. */
interface Ledger extends Order {
  said?: string
  /** The writes for it that the store has accepted, and the books that they took from the shelf. */
  writes: number
  taken: number
}

const onShelf = 3

function shop({ ship }: Solution): System<Node, number, Message, Fault> {
  return {
    nodes: ['worker 1', 'worker 2', 'store', 'queue'],
    requestEveryMs: 1,
    mostMs: 10_000,
    mostMessages: 400,
    describe,
    begin(world) {
      const orders: Ledger[] = []
      let shelf: Shelf = { left: onShelf, orders: [] }
      let version = 0

      function serve(message: Message): Message | undefined {
        if (message.do === 'read') return { do: 'shelf', shelf, version }
        if (message.do !== 'write') return undefined
        if (message.version !== undefined && message.version !== version) return { do: 'conflict' }
        const ledger = orders.find(({ id }) => id === message.order)
        if (ledger) {
          ledger.writes++
          ledger.taken += shelf.left - message.shelf.left
        }
        shelf = message.shelf
        version++
        return { do: 'written' }
      }

      function* work(order: Order): Steps<Message> {
        return { do: yield* ship(order, storeFor(order.id)) }
      }

      function* deliver(order: Ledger): Steps<void> {
        const to = orders.indexOf(order) % 2 === 0 ? 'worker 1' : 'worker 2'
        const { id, quantity } = order
        const answer = yield { do: 'ask', to, message: { do: 'ship', order: { id, quantity } }, againMs: 500 }
        order.said = answer.do
      }

      return {
        request(quantity) {
          const order = { id: `order-${orders.length + 1}`, quantity, writes: 0, taken: 0 }
          orders.push(order)
          world.run('queue', deliver(order))
        },
        start: (node) => (message) => {
          if (node === 'store') return serve(message)
          return message.do === 'ship' ? work(message.order) : undefined
        },
        check: () => orders.flatMap((order) => faultOf(order, shelf) ?? []),
      }
    },
  }
}

function storeFor(order: string): Store {
  function* ask(message: Message): Steps<Message> {
    // Neither side may change what the other one has.
    return structuredClone(yield { do: 'ask', to: 'store', message, againMs: 100 })
  }
  function* read(message: Message): ReturnType<Store['read']> {
    return (yield* ask(message)) as { do: 'shelf'; shelf: Shelf; version: number }
  }
  function* write(message: Message): ReturnType<Store['writeIf']> {
    return (yield* ask(message)).do as 'written' | 'conflict'
  }
  function* writeAnyway(message: Message): ReturnType<Store['write']> {
    yield* ask(message)
  }
  return {
    read: () => read(fromLine({ do: 'read' })),
    write: (shelf) => writeAnyway(fromLine({ do: 'write', order, shelf: structuredClone(shelf) })),
    writeIf: (version, shelf) => write(fromLine({ do: 'write', order, shelf: structuredClone(shelf), version })),
  }
}

function faultOf({ id, quantity, said, writes, taken }: Ledger, { left }: Shelf): Fault | undefined {
  const numbers = {
    expected: `${id} takes ${books(quantity)}`,
    received: `it took ${taken}; ${left} of ${onShelf} are left`,
  }
  if (said === 'shipped') {
    if (writes === 0) return { says: 'An order was shipped, but the store has accepted no write for it.', ...numbers }
    if (taken < quantity) {
      const why = 'The other worker wrote after this one had read: its update was overwritten.'
      return { says: 'An update was lost: books of an order that was shipped are still on the shelf.', ...numbers, why }
    }
    if (taken > quantity) {
      const why = 'The first write went through, although its answer never arrived.'
      return { says: 'The books of one order were taken twice.', ...numbers, why }
    }
    return undefined
  }
  if (said !== 'sold out') return { says: 'An order never gets an answer.', expected: `${id}: shipped or sold out` }
  const refused = {
    expected: `${id} of ${books(quantity)}: shipped`,
    received: `sold out; ${left} of ${onShelf} are left`,
  }
  if (taken > 0) return { says: 'An order was refused, although its books were taken.', ...refused }
  if (quantity <= left) return { says: 'An order was refused, although its books are there.', ...refused }
  return undefined
}

const books = (count: number) => `${count} book${count === 1 ? '' : 's'}`

function describe(message: Message): string {
  switch (message.do) {
    case 'ship':
      return `${message.order.id}: ${books(message.order.quantity)}`
    case 'shelf':
      return `${message.shelf.left} left, v${message.version}`
    case 'write':
      return `write ${message.shelf.left}${message.version === undefined ? '' : ` if v${message.version}`}`
    default:
      return message.do
  }
}

const requests = fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 3 })
const faulty = scenarios({ requests, nodes: 2, messages: 36, withinMs: 40 })
/** Nothing fails; messages only overtake each other. */
const slow = faulty.map((scenario): Scenario<number> => ({ ...scenario, messages: [], nodes: [] }))

export default exercise<Solution>({
  async check(solution) {
    for (const each of [slow, faulty]) {
      const fault = await underFaults(shop(solution), { scenarios: each, histories: 1_000 }, (found) => found)
      if (fault) return fault
    }
    return undefined
  },
})
