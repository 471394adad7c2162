/**
 * Pure functions: one handler, one order, one expected end. No process, no network, no waiting; an in-memory store.
 * These are the fastest tests, and the first to write. They show what happens when nothing goes wrong.
 */
import { expect, it } from 'vitest'
import { check } from '../../src/pipeline/invariants.ts'
import { MemoryStore } from '../../src/pipeline/memory-store.ts'
import { accept, type Handler, type Outcome, pay, type Stage, ship } from '../../src/pipeline/orders.ts'
import { bug, order } from './planted.ts'

/** Runs a handler to its end, and records what it sends. */
function finish(handler: Handler, store: MemoryStore, sent: Stage[] = []): Outcome {
  let step = handler.next()
  while (!step.done) {
    const effect = step.value
    if (effect.do === 'send') sent.push(effect.to)
    const isStores = effect.do !== 'send' && effect.do !== 'acknowledge'
    step = handler.next(isStores ? store.perform(effect, 'test', 0) : 'done')
  }
  return step.value
}

let clock = 0
const context = (delivery = 1) => ({ bug, now: () => ++clock, delivery })

it('pays for an order and ships it', () => {
  const store = new MemoryStore({ book: 3 })
  const sent: Stage[] = []
  const bought = order(1, { quantity: 2 })
  for (const handle of [accept, pay, ship])
    expect(finish(handle(bought, context()), store, sent)).toEqual({ done: true })
  expect(store.stateOf('order-1')).toBe('shipped')
  expect(store.stock.get('book')).toBe(1)
  expect(sent).toEqual(['payment', 'shipping'])
})

it('refunds what is sold out', () => {
  const store = new MemoryStore({ book: 1 })
  const bought = order(1, { quantity: 2 })
  for (const handle of [accept, pay, ship]) finish(handle(bought, context()), store)
  expect(store.stateOf('order-1')).toBe('sold out')
  expect(store.stock.get('book')).toBe(1)
  expect(store.history.at(-2)?.effect).toEqual({ do: 'refund', order: 'order-1', cents: 1_250 })
})

it('tries a refused charge five times, less and less often, and then gives up', () => {
  const store = new MemoryStore({ book: 1 })
  const sent: Stage[] = []
  const bought = order(1, { card: 'refused' })
  finish(accept(bought, context()), store)
  const outcomes = [1, 2, 3, 4, 5, 6].map((delivery) => finish(pay(bought, context(delivery)), store, sent))
  const pauses = [20, 40, 80, 160, 320].map((retryAfterMs) => ({ done: false, retryAfterMs }))
  expect(outcomes).toEqual([...pauses, { done: true }])
  expect(store.stateOf('order-1')).toBe('failed')
  expect(sent).toEqual([])
})

it('finds violations in a history', () => {
  const store = new MemoryStore({ book: 1 })
  const bought = order(1)
  for (const handle of [accept, pay, ship]) finish(handle(bought, context()), store)
  const seen = { ...store.books(), orders: [bought], stockBefore: { book: 1 } }
  expect(check(seen)).toEqual([])
  // The same books, but the client has ordered something dearer, and there were two books.
  expect(check({ ...seen, orders: [order(1, { cents: 1_300 })], stockBefore: { book: 2 } })).toEqual([
    {
      invariant: 'money balances',
      detail: 'order-1 is paid, and has paid 1250 cents instead of 1300',
      order: 'order-1',
    },
    { invariant: 'goods balance', detail: 'book: 2 at first, 1 sold, and 0 left' },
  ])
})
