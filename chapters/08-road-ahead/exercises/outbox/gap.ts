// The checker says: An order is in the shop, and no parcel is ever sent for it.
/** An order in one database, and its parcel in another one. */
import type { Broker, Message, Shop, Warehouse } from './check.ts'

/** Takes an order. The shop may be killed at any moment, and nobody calls this again. */
export async function place(order: string, shop: Shop, broker: Broker): Promise<void> {
  // Your code: what if the shop is killed between the two?
  await shop.commit([{ order }])
  await broker.send({ id: order, order })
}

/** Sends what was not sent yet. Runs again and again, also after it was killed. */
export async function relay(_shop: Shop, _broker: Broker): Promise<void> {
  // Your code
}

/** Handles a message at the warehouse: one parcel for each order. The same message may come several times. */
export async function receive({ order }: Message, warehouse: Warehouse): Promise<void> {
  // Your code: how does the warehouse know what it has received?
  await warehouse.commit([{ parcel: order }])
}
