/** A worker's part of an order: the books leave the shelf. */
import type { Order, Steps, Store } from './check.ts'

/**
 * Takes the books of an order from the shelf, once, however often it is called for the order.
 *
 * @returns whether they were taken, by this call or by an earlier one
 */
export function* ship(order: Order, store: Store): Steps<'shipped' | 'sold out'> {
  // Your code: the other worker may write between the read and the write, and this order may come here twice.
  const { shelf } = yield* store.read()
  if (shelf.left < order.quantity) return 'sold out'
  yield* store.write({ ...shelf, left: shelf.left - order.quantity })
  return 'shipped'
}
