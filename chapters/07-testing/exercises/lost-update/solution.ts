/** A worker's part of an order: the books leave the shelf. */
import type { Order, Steps, Store } from './check.ts'

/**
 * Takes the books of an order from the shelf, once, however often it is called for the order.
 *
 * @returns whether they were taken, by this call or by an earlier one
 */
export function* ship({ id, quantity }: Order, store: Store): Steps<'shipped' | 'sold out'> {
  for (;;) {
    const { shelf, version } = yield* store.read()
    // First of all: when the last books were taken for this order, too few are left for it.
    if (shelf.orders.includes(id)) return 'shipped'
    if (shelf.left < quantity) return 'sold out'
    // The order is noted in the same write: a crash between two writes would leave one without the other.
    const after = { left: shelf.left - quantity, orders: [...shelf.orders, id] }
    if ((yield* store.writeIf(version, after)) === 'written') return 'shipped'
    // The other worker was faster, or this was the second copy of a write that went through. Only the shelf knows.
  }
}
