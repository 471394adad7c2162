// The checker says: The order is booked twice.
/** Looks first, and writes the note in a step of its own. */
import type { Books, Card, Delivery } from '../check.ts'

export async function pay({ order, amount }: Delivery, card: Card, books: Books): Promise<void> {
  if (await books.has(order)) return
  await card.charge(amount, { key: order })
  await books.commit([{ add: amount }])
  await books.commit([{ note: order }])
}
