// The checker says: Two parcels are sent for one order.
/** Looks for the note, and writes it after the parcel. */
import type { Broker, Message, Shop, Warehouse } from '../check.ts'

export async function place(order: string, shop: Shop): Promise<void> {
  await shop.commit([{ order }, { message: { id: order, order } }])
}

export async function relay(shop: Shop, broker: Broker): Promise<void> {
  for (const message of await shop.unsent()) {
    await broker.send(message)
    await shop.commit([{ sent: message.id }])
  }
}

export async function receive({ id, order }: Message, warehouse: Warehouse): Promise<void> {
  if (await warehouse.has(id)) return
  await warehouse.commit([{ parcel: order }])
  await warehouse.commit([{ note: id }])
}
