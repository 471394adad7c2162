/** The bug that `levels` plants in the pipeline for the tests of all levels; undefined otherwise. */
import type { StoreEffect } from '../../src/pipeline/memory-store.ts'
import { type Bug, bugNames, type Order } from '../../src/pipeline/orders.ts'

export const bug: Bug | undefined = bugNames.find((name) => name === process.env.PLANTED_BUG)

export const order = (id: number, about: Partial<Order> = {}): Order => ({
  id: `order-${id}`,
  item: 'book',
  quantity: 1,
  cents: 1_250,
  card: 'good',
  ...about,
})

/** What precedes shipping, in a store: the order is placed, and paid. */
export const stepsToPaid = ({ id, cents, card }: Order): StoreEffect[] => [
  { do: 'create', order: id, content: '', version: 0 },
  { do: 'charge', key: id, order: id, cents, card, mostTries: 5 },
  { do: 'advance', order: id, state: 'paid', version: 0.5 },
]

export function pay(order: Order, store: { perform: (effect: StoreEffect, by: string, atMs: number) => unknown }) {
  for (const effect of stepsToPaid(order)) store.perform(effect, 'test', 0)
}
