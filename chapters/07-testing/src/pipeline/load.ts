/** A client that makes load: orders by the seed, sent at a steady rate, each until the front has accepted it. */
import { setTimeout as delay } from 'node:timers/promises'
import { randomFrom } from '@repo/common/async/random'
import type { Order } from './orders.ts'

const items = ['book', 'lamp', 'chair', 'table']
/** Every so manieth order, from the fourth on, has a card that the bank never accepts. */
const refusedEvery = 50

/** The same orders for the same seed. */
export function ordersOf(seed: number, count: number): Order[] {
  const random = randomFrom(seed)
  const below = (limit: number) => Math.floor(limit * random())
  return Array.from({ length: count }, (_, at) => ({
    id: `order-${at + 1}`,
    item: items[below(items.length)] ?? '',
    quantity: 1 + below(3),
    cents: 100 + below(9_900),
    card: at % refusedEvery === 3 ? 'refused' : 'good',
  }))
}

/** More of each item than is ever ordered. */
export const plenty: Record<string, number> = Object.fromEntries(items.map((item) => [item, 1e9]))

/** So much of each item that most orders can be met, and some cannot. */
export function stockFor(orders: readonly Order[]): Record<string, number> {
  const stock: Record<string, number> = Object.fromEntries(items.map((item) => [item, 0]))
  for (const { item, quantity } of orders) stock[item] = (stock[item] ?? 0) + quantity
  for (const [item, wanted] of Object.entries(stock)) stock[item] = Math.floor(0.85 * wanted)
  return stock
}

export interface LoadOptions {
  /** Of the front. */
  url: string
  orders: readonly Order[]
  /** Orders per second at most; as fast as 64 at a time go when not given. */
  rate?: number
  signal?: AbortSignal
  /** Sent with each request, such as a correlation id. */
  headersOf?: (order: Order) => Record<string, string>
  /** Called, and awaited, before the order with this index is sent for the first time. */
  onSend?: (at: number) => void | Promise<void>
  /** Called when an order was accepted, with the milliseconds since it was first sent. */
  onAccepted?: (order: Order, ms: number) => void
}

const atATime = 64
const requestTimeoutMs = 2_000
const againMs = 50

/**
 * Sends orders, each again and again until the front says that it has accepted it.
 *
 * @returns when all are accepted
 * @throws an Error when the front refuses one as wrong
 */
export async function placeOrders({
  url,
  orders,
  rate,
  signal,
  headersOf,
  onSend,
  onAccepted,
}: LoadOptions): Promise<void> {
  const underWay = new Set<Promise<void>>()
  let nextMs = performance.now()
  for (const [at, order] of orders.entries()) {
    const early = nextMs - performance.now()
    if (early > 0) await delay(early, undefined, { signal })
    if (underWay.size >= atATime) await Promise.race(underWay)
    await onSend?.(at)
    const sending = place(order).finally(() => underWay.delete(sending))
    sending.catch(() => {})
    underWay.add(sending)
    // From now on: what was late is not made good by a burst.
    if (rate !== undefined) nextMs = Math.max(nextMs, performance.now() - 20) + 1000 / rate
  }
  await Promise.all(underWay)

  async function place(order: Order) {
    const begin = performance.now()
    while (!(await send(url, order, headersOf?.(order), signal))) await delay(againMs, undefined, { signal })
    onAccepted?.(order, performance.now() - begin)
  }
}

/** Sends orders at a steady rate, each under a name of its own, until the signal is aborted; rejected with its reason. */
export async function keepPlacing(options: { url: string; rate: number; signal: AbortSignal }): Promise<never> {
  for (let round = 1; ; round++) {
    const orders = ordersOf(round, 1_000).map((order) => ({ ...order, id: `${order.id}-${round}` }))
    await placeOrders({ ...options, orders })
  }
}

/** Whether the front has accepted the order; if not, nobody knows what has become of it. */
async function send(
  url: string,
  order: Order,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<boolean> {
  const timeout = AbortSignal.timeout(requestTimeoutMs)
  try {
    const response = await fetch(`${url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(order),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    })
    const answer = await response.text()
    if (response.status === 400) throw new RangeError(`the front refuses ${order.id}: ${answer}`)
    return response.status === 202
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof RangeError) throw error
    return false
  }
}
