/** A task that pays for an order: it charges a card and books the amount. */
import type { Books, Card, Delivery } from './check.ts'

/**
 * Charges the card and books the amount, each exactly once for an order. The same order may be delivered again: after a
 * worker has died, or to two workers at the same time. Once this returns, the queue forgets the delivery.
 */
export async function pay(_delivery: Delivery, _card: Card, _books: Books): Promise<void> {
  // Your code: what do two deliveries of the same order have in common?
}
