// The checker says: An order was shipped, but the store has accepted no write for it.
/** Believes that every conflict is the second copy of its own write. */
import type { Order, Steps, Store } from '../check.ts'

export function* ship({ id, quantity }: Order, store: Store): Steps<'shipped' | 'sold out'> {
  const { shelf, version } = yield* store.read()
  if (shelf.orders.includes(id)) return 'shipped'
  if (shelf.left < quantity) return 'sold out'
  yield* store.writeIf(version, { left: shelf.left - quantity, orders: [...shelf.orders, id] })
  return 'shipped'
}
