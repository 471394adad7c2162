/** The judge: each rule has a history, written by hand, that breaks it and nothing else. */
import { expect, it } from 'vitest'
import { check, type Observed, triedTooOften } from '../../src/pipeline/invariants.ts'
import { type Entry, type StoreEffect, till } from '../../src/pipeline/memory-store.ts'
import type { Answer, Order, State } from '../../src/pipeline/orders.ts'

const id = 'order-1'
const bought: Order = { id, item: 'book', quantity: 2, cents: 100, card: 'good' }
const refused: Order = { ...bought, card: 'refused' }

let clock = 0
const entry = (effect: StoreEffect, answer: Answer, booked: boolean): Entry => {
  clock++
  return { effect, answer, booked, by: 'test', atMs: clock, storeMs: clock }
}
const create = (order = id) => entry({ do: 'create', order, content: '', version: 1 }, 'created', true)
const advance = (state: State) => entry({ do: 'advance', order: id, state, version: 2 }, 'advanced', true)
const charge = (answer = 'charged', { cents = 100, booked = answer === 'charged', key = id } = {}) =>
  entry({ do: 'charge', key, order: id, cents, card: 'good', mostTries: 5 }, answer, booked)
const refund = (cents = 100) => entry({ do: 'refund', order: id, cents }, 'refunded', true)
const take = (quantity = 2, item = 'book') => entry({ do: 'take', order: id, item, quantity }, 'taken', true)
const soldOut = () => entry({ do: 'take', order: id, item: 'book', quantity: 2 }, 'sold out', false)
const tries = (count: number) => Array.from({ length: count }, () => charge('unavailable'))

const seen = (history: Entry[], about: Partial<Observed> = {}): Observed => ({
  history,
  orders: [bought],
  stockBefore: { book: 3 },
  stock: { book: 3 },
  accounts: {},
  states: {},
  ...about,
})
/** A history that ends well, and what is there afterwards. */
const shipped = (history: Entry[], about: Partial<Observed> = {}) =>
  seen(history, { stock: { book: 1 }, accounts: { [id]: 100, [till]: 100 }, states: { [id]: 'shipped' }, ...about })
const notShipped = (state: State, history: Entry[], about: Partial<Observed> = {}) =>
  seen(history, { accounts: { [id]: 0, [till]: 0 }, states: { [id]: state }, ...about })
const scarce = { stockBefore: { book: 1 }, stock: { book: 1 } }

const usual = () => [create(), charge(), advance('paid'), take(), advance('shipped')]
const refunded = () => [create(), charge(), advance('paid'), soldOut(), refund(), advance('sold out')]
const twice = (history: Entry[]) => history.flatMap((each) => [each, { ...each, booked: false }])
const failing = (refusals: number) => [create(), ...tries(refusals), charge('given up'), advance('failed')]

it.each([
  ['shipped', shipped(usual())],
  ['shipped after every effect was performed twice', shipped(twice(usual()))],
  ['sold out', notShipped('sold out', refunded(), scarce)],
  ['sold out after every effect was performed twice', notShipped('sold out', twice(refunded()), scarce)],
  ['failed', notShipped('failed', failing(5), { orders: [refused] })],
  ['still under way when the run was stopped', notShipped('placed', [create()], { unfinished: true })],
  ['ended within the bound', shipped(usual(), { endsWithinMs: 4 })],
  [
    'tried again later and later',
    shipped(usual(), {
      pauses: [20, 40, 40, 640, 640].map((ms, at) => ({ order: id, delivery: [1, 2, 2, 7, 8][at] ?? 0, ms })),
    }),
  ],
])('finds nothing wrong with an order that is %s', (_, observed) => {
  expect(check(observed)).toEqual([])
})

it.each<[rule: string, Observed, invariant: string, detail: string]>([
  [
    'an order that stops halfway',
    seen([create(), charge(), advance('paid')], { accounts: { [id]: 100, [till]: 100 }, states: { [id]: 'paid' } }),
    'no order lost',
    'order-1 was accepted, and is "paid" for ever',
  ],
  [
    'an order that stops with its goods',
    shipped(usual().slice(0, 4), { states: { [id]: 'paid' } }),
    'no order lost',
    'order-1 was accepted, and is "paid" for ever, though its goods were taken from stock',
  ],
  ['an order that nobody has', seen([]), 'no order lost', 'order-1 was accepted, and is "unknown" for ever'],
  [
    'an order that is never accepted',
    shipped(usual(), { accepted: new Set() }),
    'no order lost',
    'order-1 was never accepted',
  ],
  [
    'an order that takes too long',
    shipped(usual(), { endsWithinMs: 3 }),
    'no order lost',
    'order-1 ended after 4 ms, later than 3',
  ],
  [
    'another order under the same id that is accepted',
    shipped(usual(), { mistaken: [id] }),
    'no order lost',
    'another order was accepted under the id of order-1',
  ],
  [
    'a job that is never done',
    shipped(usual(), { openJobs: ['the payment of order-1'] }),
    'no order lost',
    'the payment of order-1 is never done',
  ],

  [
    'a second charge',
    shipped([...usual(), charge('charged', { key: 'other' })], { accounts: { [id]: 200, [till]: 200 } }),
    'money balances',
    'order-1 was charged 2 times',
  ],
  [
    'one cent less',
    shipped([create(), charge('charged', { cents: 99 }), advance('paid'), take(), advance('shipped')], {
      accounts: { [id]: 99, [till]: 99 },
    }),
    'money balances',
    'order-1 is paid, and has paid 99 cents instead of 100',
  ],
  [
    'a charge that was only said to be known',
    shipped([create(), charge('charged', { booked: false }), advance('paid'), take(), advance('shipped')], {
      accounts: {},
    }),
    'money balances',
    'order-1 is paid, and has paid 0 cents instead of 100',
  ],
  [
    'a state that comes before the money',
    shipped([create(), advance('paid'), charge(), take(), advance('shipped')]),
    'money balances',
    'order-1 is paid, and has paid 0 cents instead of 100',
  ],
  [
    'a second refund',
    notShipped(
      'sold out',
      [create(), charge(), advance('paid'), soldOut(), refund(50), refund(50), advance('sold out')],
      scarce,
    ),
    'money balances',
    'order-1 was refunded 2 times',
  ],
  [
    'a refund without a charge',
    notShipped('failed', [create(), ...tries(5), refund(), advance('failed')], {
      orders: [refused],
      accounts: { [id]: -100, [till]: -100 },
    }),
    'money balances',
    'order-1 was refunded 100 cents more than it had paid',
  ],
  [
    'a refund of what was shipped',
    shipped([...usual(), refund()], { accounts: { [id]: 0, [till]: 0 } }),
    'money balances',
    'order-1 is shipped, and has paid 0 cents instead of 100',
  ],
  [
    'no refund of what is sold out',
    notShipped('sold out', [create(), charge(), advance('paid'), soldOut(), advance('sold out')], {
      ...scarce,
      accounts: { [id]: 100, [till]: 100 },
    }),
    'money balances',
    'order-1 is sold out, and has paid 100 cents instead of 0',
  ],
  [
    'a refused card that is charged',
    shipped(usual(), { orders: [refused] }),
    'money balances',
    'order-1 has a refused card, and was charged',
  ],
  [
    'a bank that has less than it booked',
    shipped(usual(), { accounts: { [id]: 99, [till]: 100 } }),
    'money balances',
    'the bank has 99 cents of order-1, and has booked 100',
  ],
  [
    'a till that has less than was paid',
    shipped(usual(), { accounts: { [id]: 100, [till]: 99 } }),
    'money balances',
    'the till has 99 cents, and clients have paid 100',
  ],

  [
    'goods shipped that were never taken',
    shipped([create(), charge(), advance('paid'), advance('shipped')], { stock: { book: 3 } }),
    'goods balance',
    'order-1 is shipped, and took 0 book from stock instead of 2',
  ],
  [
    'fewer goods than ordered',
    shipped([create(), charge(), advance('paid'), take(1), advance('shipped')], { stock: { book: 2 } }),
    'goods balance',
    'order-1 is shipped, and took 1 book from stock instead of 2',
  ],
  [
    'goods taken twice',
    shipped([create(), charge(), advance('paid'), take(1), take(1), advance('shipped')]),
    'goods balance',
    'order-1 took its goods from stock 2 times',
  ],
  [
    'other goods than ordered',
    shipped([create(), charge(), advance('paid'), take(2, 'lamp'), advance('shipped')], {
      stockBefore: { book: 3, lamp: 3 },
      stock: { book: 3, lamp: 1 },
    }),
    'goods balance',
    'order-1 ordered a book, and a lamp was taken',
  ],
  [
    'goods taken for what is sold out',
    notShipped('sold out', [create(), charge(), advance('paid'), take(), refund(), advance('sold out')], {
      stock: { book: 1 },
    }),
    'goods balance',
    'order-1 is sold out, and took 2 book from stock instead of 0',
  ],
  [
    'an answer "sold out" with goods left',
    notShipped('sold out', [create(), charge(), advance('paid'), soldOut(), refund(), advance('sold out')]),
    'goods balance',
    'order-1 wants 2 book, and is "sold out" with 3 left',
  ],
  [
    'a state "sold out" without an answer',
    notShipped('sold out', [create(), charge(), advance('paid'), refund(), advance('sold out')]),
    'goods balance',
    'order-1 wants 2 book, and is "sold out" with 3 left',
  ],
  [
    'a stock that was not reduced',
    shipped(usual(), { stock: { book: 3 } }),
    'goods balance',
    'book: 3 at first, 2 sold, and 3 left',
  ],
  [
    'a stock below zero',
    shipped(usual(), { stockBefore: { book: 1 }, stock: { book: -1 } }),
    'goods balance',
    'book: 1 at first, 2 sold, and -1 left',
  ],
  [
    'goods that nobody knew of',
    shipped(usual(), { stock: { book: 1, chair: 1 } }),
    'goods balance',
    'chair: 0 at first, 0 sold, and 1 left',
  ],

  [
    'a state that goes back',
    shipped([...usual(), advance('paid'), advance('shipped')]),
    'states move forward',
    'order-1 was shipped, and then paid',
  ],
  [
    'a state that is left out',
    shipped([create(), charge(), take(), advance('shipped')]),
    'states move forward',
    'order-1 was placed, and then shipped',
  ],
  [
    'an order that is placed twice',
    shipped([create(), ...usual()]),
    'states move forward',
    'order-1 was placed, and then placed',
  ],
  [
    'an order that was never placed',
    shipped(usual().slice(1)),
    'states move forward',
    'order-1 was unknown, and then paid',
  ],
  [
    'a state that is not kept',
    shipped(usual(), { states: { [id]: 'paid' } }),
    'states move forward',
    'order-1 is "paid", and was last said to be "shipped"',
  ],
  [
    'a state that the store has forgotten',
    shipped(usual(), { states: {} }),
    'states move forward',
    'order-1 is "unknown", and was last said to be "shipped"',
  ],
  [
    'a state that nobody has reported',
    notShipped('placed', [], { unfinished: true }),
    'states move forward',
    'order-1 is "placed", and was last said to be "unknown"',
  ],
  [
    'an order that nobody placed',
    shipped([...usual(), create('order-2')]),
    'states move forward',
    'order-2 is in the history, and nobody has ordered it',
  ],

  [
    'a sixth try',
    notShipped('failed', failing(6), { orders: [refused] }),
    'retries bounded',
    'the bank was asked 6 times for order-1',
  ],
  [
    'a failure without a try',
    notShipped('failed', failing(0), { orders: [refused] }),
    'retries bounded',
    'order-1 failed, and the bank was asked only 0 times',
  ],
  [
    'a failure after four tries',
    notShipped('failed', failing(4), { orders: [refused] }),
    'retries bounded',
    'order-1 failed, and the bank was asked only 4 times',
  ],
  [
    'a good card that is refused',
    shipped([create(), ...tries(1), ...usual().slice(1)]),
    'retries bounded',
    'order-1 has a good card, and the bank refused it',
  ],
  [
    'a retry without a pause',
    shipped(usual(), { pauses: [{ order: id, delivery: 1, ms: 0 }] }),
    'retries bounded',
    'order-1 is tried again after 0 ms instead of 1 or more',
  ],
  [
    'a retry after no number',
    shipped(usual(), { pauses: [{ order: id, delivery: 1, ms: Number.NaN }] }),
    'retries bounded',
    'order-1 is tried again after NaN ms instead of 1 or more',
  ],
  [
    'pauses that do not grow',
    shipped(usual(), { pauses: [1, 2].map((delivery) => ({ order: id, delivery, ms: 20 })) }),
    'retries bounded',
    'order-1 is tried again after 20 ms instead of 21 or more',
  ],
])('finds %s, and nothing else', (_, observed, invariant, detail) => {
  expect(check(observed)).toEqual([
    {
      invariant,
      detail,
      ...(detail.includes('order-') && !detail.startsWith('the payment') && { order: /order-\d/.exec(detail)?.[0] }),
    },
  ])
})

it('reports in the order of the invariants, and each once for an order', () => {
  const found = check(
    notShipped('failed', [...failing(7), charge(), charge(), refund(300)], {
      orders: [refused],
      stock: { book: 2 },
      accounts: { [id]: -100, [till]: -100 },
    }),
  )
  expect(found.map(({ invariant }) => invariant)).toEqual(['money balances', 'goods balance', 'retries bounded'])
  expect(check(seen([create()], { unfinished: true, states: { [id]: 'placed' }, openJobs: ['a job'] }))).toEqual([])
})

it('knows for which orders the bank was asked too often', () => {
  expect(triedTooOften(tries(5))).toEqual(new Set())
  expect(triedTooOften(tries(6))).toEqual(new Set([id]))
})
