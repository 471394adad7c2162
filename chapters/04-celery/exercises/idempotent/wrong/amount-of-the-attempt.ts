// The checker says: The amounts are wrong.
/** Charges for each attempt what all attempts so far would have cost. */
import type { Books, Card, Delivery } from '../check.ts'

/**
 * Charges the card and books the amount, each exactly once for an order. The same order may be delivered again: after a
 * worker has died, or to two workers at the same time. Once this returns, the queue forgets the delivery.
 */
export async function pay({ order, amount, attempt }: Delivery, card: Card, books: Books): Promise<void> {
  // The key names the order and not the delivery. So this may be repeated, and needs no look before it.
  await card.charge(amount * attempt, { key: order })
  // In one step: there is never a booking without its note, nor a note without its booking.
  await books.commit([{ note: order }, { add: amount }])
}
