// The checker says: An order was refused, although its books are there.
/** Takes a conflict for an answer. */
import type { Order, Steps, Store } from '../check.ts'

export function* ship({ id, quantity }: Order, store: Store): Steps<'shipped' | 'sold out'> {
  const { shelf, version } = yield* store.read()
  if (shelf.orders.includes(id)) return 'shipped'
  if (shelf.left < quantity) return 'sold out'
  const answer = yield* store.writeIf(version, { left: shelf.left - quantity, orders: [...shelf.orders, id] })
  return answer === 'written' ? 'shipped' : 'sold out'
}
