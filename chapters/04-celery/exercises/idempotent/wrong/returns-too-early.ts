// The checker says: Every delivery has ended, and the card was never charged.
/** Takes the note for a sign that everything was done. */
import type { Books, Card, Delivery } from '../check.ts'

export async function pay({ order, amount }: Delivery, card: Card, books: Books): Promise<void> {
  if (!(await books.commit([{ note: order }, { add: amount }]))) return
  await card.charge(amount, { key: order })
}
