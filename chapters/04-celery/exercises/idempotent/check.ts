/** Deliveries of an order under every schedule. A worker may be killed between any two operations. */
import { type Ended, type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault } from '@repo/exercises/exercise'
import { upTo } from '@repo/exercises/history'
import { declaredAt } from '@repo/exercises/line'

type Solution = typeof import('./exercise.ts')

/** A message of the queue. */
export interface Delivery {
  order: string
  amount: number
  /** Delivery number of this order, from 1. */
  attempt: number
}

/** The service that has the customer's card. */
export interface Card {
  /** Takes the amount. A call with a key that was used before takes nothing. */
  charge(amount: number, options: { key: string }): Promise<void>
}

/** A change in our database: writes a note, or books an amount. */
export type Change = { note: string } | { add: number }

/** Our database. */
export interface Books {
  /** Returns whether a note is there. */
  has(note: string): Promise<boolean>
  /** Makes all changes in one step, and returns true. If one of them is a note that is there, it changes nothing. */
  commit(changes: readonly Change[]): Promise<boolean>
}

/** The service and the database of one run. */
function begin(stage: Stage) {
  const charged = new Map<string, number>()
  const notes = new Set<string>()
  const booked: number[] = []
  const card: Card = {
    async charge(amount, { key }) {
      const text = (isNew: boolean) => `${isNew ? 'charges' : 'is ignored:'} ${amount}, key ${key}`
      await stage.step(text, () => {
        const isNew = !charged.has(key)
        if (isNew) charged.set(key, amount)
        return isNew
      })
    },
  }
  const books: Books = {
    has: (note) =>
      stage.step(
        (known: boolean) => `note ${note}? ${known ? 'yes' : 'no'}`,
        () => notes.has(note),
      ),
    commit(changes) {
      const what = changes.map((change) => ('note' in change ? `note ${change.note}` : `+${change.add}`)).join(', ')
      return stage.step(
        (done: boolean) => `${done ? 'commits' : 'is refused:'} ${what}`,
        () => {
          if (changes.some((change) => 'note' in change && notes.has(change.note))) return false
          for (const change of changes) {
            if ('note' in change) notes.add(change.note)
            else booked.push(change.add)
          }
          return true
        },
      )
    },
  }
  return { charged, booked, card, books }
}

const keyWhy = 'The service knows an order only by its key, so the key must be the same at each delivery.'

/** Whether another amount than that of the order was charged or booked, at whichever delivery. */
function wrongAmounts(charged: ReadonlyMap<string, number>, booked: readonly number[]): Fault | undefined {
  const amounts = [...charged.values(), ...booked]
  if (amounts.every((amount) => amount === 5)) return undefined
  const received = `charged ${[...charged.values()]}, booked ${booked}`
  return { says: 'The amounts are wrong.', expected: 'each order charged 5 and booked 5', received }
}

/** Two orders of the same amount, one after the other. */
const twoOrders = async (pay: Solution['pay']) =>
  await underEverySchedule(
    (stage) => {
      const { charged, booked, card, books } = begin(stage)
      const worker = async () => {
        for (const order of ['order-7', 'order-8']) await pay({ order, amount: 5, attempt: 1 }, card, books)
      }
      return {
        actors: { worker },
        check({ history }) {
          if (charged.size === 0) return { says: 'pay returns, and the card was not charged.', line: declaredAt('pay') }
          if (charged.size === 1) {
            const why = 'The service ignores a key that it has seen: each order needs its own.'
            const shown = upTo(history, ({ what }) => what.startsWith('is ignored'))
            return { says: 'Two orders are charged once: they have the same key.', history: shown, why }
          }
          if (charged.size > 2) return { says: 'The card is charged more than once for one order.', why: keyWhy }
          if (booked.length === 0) return { says: 'pay returns, and nothing is booked.', line: declaredAt('pay') }
          if (booked.length === 1) return { says: 'Of two orders one is booked: they have the same note.' }
          return wrongAmounts(charged, booked)
        },
      }
    },
    { mostDeviations: 0 },
  )

const twoDeliveries = async (pay: Solution['pay'], signal: AbortSignal) =>
  await underEverySchedule(
    (stage) => {
      const { charged, booked, card, books } = begin(stage)
      const worker = (attempt: number) => async () => await pay({ order: 'order-7', amount: 5, attempt }, card, books)
      return {
        actors: { a: worker(1), b: worker(2) },
        mortal: ['a', 'b'],
        successor: () => worker(3),
        check: ({ history }: Ended): Fault | undefined => {
          if (charged.size > 1) {
            const shown = upTo(history, ({ what }) => what.startsWith('charges'))
            return { says: 'The card is charged twice.', history: shown, why: keyWhy }
          }
          if (booked.length > 1) {
            const shown = upTo(history, ({ what }) => /^commits.*\+/.test(what))
            const why = 'As long as the booking and its note are two steps, something can happen between them.'
            return { says: 'The order is booked twice.', history: shown, why }
          }
          const why = 'Nothing may end the task before all of its effects are there: no delivery comes after this one.'
          if (charged.size === 0) return { says: 'Every delivery has ended, and the card was never charged.', why }
          if (booked.length === 0) return { says: 'Every delivery has ended, and the order was never booked.', why }
          return wrongAmounts(charged, booked)
        },
      }
    },
    { mostDeviations: 2, mostRuns: 800, signal },
  )

export default exercise<Solution>({
  check: async ({ pay }, { signal }) => (await twoOrders(pay)) ?? (await twoDeliveries(pay, signal)),
})
