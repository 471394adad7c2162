/** An order in one database, and its parcel in another one. */
import type { Broker, Message, Shop, Warehouse } from './check.ts'

/** Takes an order. The shop may be killed at any moment, and nobody calls this again. */
export async function place(order: string, shop: Shop): Promise<void> {
  // In one transaction, so that there is no order without its message, and no message without its order.
  await shop.commit([{ order }, { message: { id: order, order } }])
}

/** Sends what was not sent yet. Runs again and again, also after it was killed. */
export async function relay(shop: Shop, broker: Broker): Promise<void> {
  for (const message of await shop.unsent()) {
    // Marked before it was sent, it would be lost if the relay were killed now. Sent twice, it does no harm.
    await broker.send(message)
    await shop.commit([{ sent: message.id }])
  }
}

/** Handles a message at the warehouse: one parcel for each order. The same message may come several times. */
export async function receive({ id, order }: Message, warehouse: Warehouse): Promise<void> {
  // If the note is there, so is the parcel: both were committed together.
  await warehouse.commit([{ note: id }, { parcel: order }])
}
