/** A shop, its relay and a warehouse, any of which may be killed between two operations; and a message that comes twice. */
import { type Play, type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault, type Step } from '@repo/exercises/exercise'
import { upTo } from '@repo/exercises/history'

type Solution = typeof import('./exercise.ts')

/** What the shop tells the warehouse. */
export interface Message {
  /** Messages with the same id are the same. */
  id: string
  order: string
}

/** The shop's database. */
export interface Shop {
  /** Makes all changes in one transaction: an order, a message for the outbox, or the mark of one that was sent. */
  commit(changes: readonly ({ order: string } | { message: Message } | { sent: string })[]): Promise<void>
  /** Returns the messages in the outbox that are not marked, in their order. */
  unsent(): Promise<Message[]>
}

export interface Broker {
  /** Returns when the broker has the message. From then on it is delivered, whatever happens. */
  send(message: Message): Promise<void>
}

/** The warehouse's database. */
export interface Warehouse {
  /** Returns whether a note is there. */
  has(note: string): Promise<boolean>
  /** Makes all changes in one transaction, and returns true. If one of them is a note that is there, it changes nothing. */
  commit(changes: readonly ({ note: string } | { parcel: string })[]): Promise<boolean>
}

/** The databases and the broker of one run. */
function begin(stage: Stage) {
  const orders: string[] = []
  const outbox = new Map<string, Message & { isSent: boolean }>()
  const queue: Message[] = []
  const notes = new Set<string>()
  const parcels: string[] = []
  const shop: Shop = {
    commit(changes) {
      const texts = changes.map((change) =>
        'order' in change
          ? `order ${change.order}`
          : 'message' in change
            ? `message ${change.message.id}`
            : `${change.sent} is sent`,
      )
      return stage.step(`commits ${texts.join(', ')}`, () => {
        for (const change of changes) {
          if ('order' in change) orders.push(change.order)
          else if ('message' in change) outbox.set(change.message.id, { ...change.message, isSent: false })
          else {
            const message = outbox.get(change.sent)
            if (message) message.isSent = true
          }
        }
      })
    },
    unsent: () =>
      stage.step(
        (found: Message[]) => `finds unsent: ${found.map(({ id }) => id).join(', ') || 'nothing'}`,
        () => [...outbox.values()].filter(({ isSent }) => !isSent).map(({ id, order }) => ({ id, order })),
      ),
  }
  const broker: Broker = {
    send: (message) => stage.step(`sends message ${message.id}`, () => void queue.push({ ...message })),
  }
  const warehouse: Warehouse = {
    has: (note) =>
      stage.step(
        (known: boolean) => `note ${note}? ${known ? 'yes' : 'no'}`,
        () => notes.has(note),
      ),
    commit(changes) {
      const text = changes.map((each) => ('note' in each ? `note ${each.note}` : `parcel ${each.parcel}`)).join(', ')
      return stage.step(
        (done: boolean) => `${done ? 'commits' : 'is refused:'} ${text}`,
        () => {
          if (changes.some((change) => 'note' in change && notes.has(change.note))) return false
          for (const change of changes) {
            if ('note' in change) notes.add(change.note)
            else parcels.push(change.parcel)
          }
          return true
        },
      )
    },
  }
  return { orders, queue, parcels, shop, broker, warehouse }
}

/** The three programs one after the other: the relay begins when the shop has ended or was killed, and so on. */
function inTurn(stage: Stage, { place, relay, receive }: Solution, orders: readonly string[]) {
  const world = begin(stage)
  const [shopEnds, relayEnds] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let delivered = 0
  async function relaying() {
    await shopEnds.promise
    // Again and again: twice is enough to see what it repeats.
    for (let time = 0; time < 2; time++) await relay(world.shop, world.broker)
    relayEnds.resolve()
  }
  async function receiving() {
    await relayEnds.promise
    for (; delivered < world.queue.length; delivered++) {
      await receive({ ...(world.queue[delivered] as Message) }, world.warehouse)
    }
  }
  const play: Omit<Play, 'check'> = {
    actors: {
      async shop() {
        for (const order of orders) await place(order, world.shop, world.broker)
        shopEnds.resolve()
      },
      relay: relaying,
      warehouse: receiving,
    },
    mortal: ['shop', 'relay', 'warehouse'],
    successor(killed) {
      if (killed === 'shop') shopEnds.resolve()
      return { relay: relaying, warehouse: receiving }[killed]
    },
  }
  return { world, play }
}

/** Two orders, and nobody is killed. */
const twoOrders = async (solution: Solution) =>
  await underEverySchedule(
    (stage) => {
      const orders = ['order-7', 'order-8']
      const { world, play } = inTurn(stage, solution, orders)
      return {
        ...play,
        mortal: [],
        check({ history }) {
          if (orders.some((order) => !world.orders.includes(order)))
            return { says: 'place returns, and the order is not in the shop.' }
          if (new Set(world.orders).size < world.orders.length) return { says: 'An order is in the shop twice.' }
          if (world.queue.length > orders.length) {
            const shown = upTo(history, ({ what }) => what.startsWith('sends'))
            const says = 'A message is sent twice, although nobody was killed.'
            return { says, history: shown, why: 'What was sent has to be marked.' }
          }
          return wrongParcels(world, history)
        },
      }
    },
    { mostDeviations: 0 },
  )

/** One order, and one of the programs is killed. */
const oneKilled = async (solution: Solution, signal: AbortSignal) =>
  await underEverySchedule(
    (stage) => {
      const { world, play } = inTurn(stage, solution, ['order-7'])
      return { ...play, check: ({ history }) => wrongParcels(world, history) }
    },
    { mostDeviations: 2, mostRuns: 600, signal },
  )

/** The broker delivers one message to two programs of the warehouse. */
const deliveredTwice = async ({ receive }: Solution, signal: AbortSignal) =>
  await underEverySchedule(
    (stage) => {
      const world = begin(stage)
      world.orders.push('order-7')
      const program = async () => await receive({ id: 'message-1', order: 'order-7' }, world.warehouse)
      return {
        actors: { a: program, b: program },
        mortal: ['a', 'b'],
        successor: () => program,
        check: ({ history }) => wrongParcels(world, history),
      }
    },
    { mostDeviations: 2, mostRuns: 600, signal },
  )

/** What is wrong when everything has ended. */
function wrongParcels(
  { orders, parcels }: { orders: readonly string[]; parcels: readonly string[] },
  history: readonly Step[],
): Fault | undefined {
  const text = (list: readonly string[]) => list.join(', ') || 'none'
  const numbers = { expected: `parcels for ${text(orders)}`, received: `parcels for ${text(parcels)}` }
  // What was killed did its last step too early.
  const victim = history.find(({ what }) => what === 'is killed')?.who
  const { line } = history.findLast((step) => step.who === victim && step.line !== undefined) ?? {}
  if (parcels.some((order) => !orders.includes(order))) {
    const why = 'Whoever was killed had told the warehouse of an order before the order was certain.'
    return { says: 'A parcel is sent for an order that is not in the shop.', ...numbers, line, why }
  }
  if (orders.some((order) => !parcels.includes(order))) {
    const why = 'Whoever was killed was the only one who knew that something was left to do.'
    return { says: 'An order is in the shop, and no parcel is ever sent for it.', ...numbers, line, why }
  }
  if (new Set(parcels).size < parcels.length) {
    const why =
      'A message may come twice. Whether it was there before must be decided in the step that sends the parcel.'
    const shown = upTo(history, ({ what }) => /^commits.*parcel/.test(what))
    return { says: 'Two parcels are sent for one order.', ...numbers, history: shown, why }
  }
  return undefined
}

export default exercise<Solution>({
  check: async (solution, { signal }) =>
    (await twoOrders(solution)) ?? (await oneKilled(solution, signal)) ?? (await deliveredTwice(solution, signal)),
})
