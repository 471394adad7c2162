/** The bug that `levels` plants in the pipeline for the tests of all levels; undefined otherwise. */
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
