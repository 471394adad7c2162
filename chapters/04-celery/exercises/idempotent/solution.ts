/** A task that pays for an order: it charges a card and books the amount. */
import type { Books, Card, Delivery } from './check.ts'

/**
 * Charges the card and books the amount, each exactly once for an order. The same order may be delivered again: after a
 * worker has died, or to two workers at the same time. Once this returns, the queue forgets the delivery.
 */
export async function pay({ order, amount }: Delivery, card: Card, books: Books): Promise<void> {
  // The key names the order and not the delivery. So this may be repeated, and needs no look before it.
  await card.charge(amount, { key: order })
  // In one step: there is never a booking without its note, nor a note without its booking.
  await books.commit([{ note: order }, { add: amount }])
}
