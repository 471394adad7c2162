// The checker says: A parcel is sent for an order that is not in the shop.
/** Puts the message into the outbox in a transaction of its own, before the order: no order is without its message. */
import type { Broker, Message, Shop, Warehouse } from '../check.ts'

export async function place(order: string, shop: Shop): Promise<void> {
  await shop.commit([{ message: { id: order, order } }])
  await shop.commit([{ order }])
}

export async function relay(shop: Shop, broker: Broker): Promise<void> {
  for (const message of await shop.unsent()) {
    await broker.send(message)
    await shop.commit([{ sent: message.id }])
  }
}

export async function receive({ id, order }: Message, warehouse: Warehouse): Promise<void> {
  await warehouse.commit([{ note: id }, { parcel: order }])
}
