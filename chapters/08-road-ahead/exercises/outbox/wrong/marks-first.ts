// The checker says: An order is in the shop, and no parcel is ever sent for it.
/** Marks a message before it is sent, so that it is never sent twice. */
import type { Broker, Message, Shop, Warehouse } from '../check.ts'

export async function place(order: string, shop: Shop): Promise<void> {
  await shop.commit([{ order }, { message: { id: order, order } }])
}

export async function relay(shop: Shop, broker: Broker): Promise<void> {
  for (const message of await shop.unsent()) {
    await shop.commit([{ sent: message.id }])
    await broker.send(message)
  }
}

export async function receive({ id, order }: Message, warehouse: Warehouse): Promise<void> {
  await warehouse.commit([{ note: id }, { parcel: order }])
}
