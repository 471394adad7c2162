/**
 * A client that generates load: orders from a seed, at a steady rate, each sent again until the front has accepted it.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { drawFrom } from '@repo/common/async/random'
import type { Order } from './orders.ts'

const items = ['book', 'lamp', 'chair', 'table']
/** The fourth order, and then one in fifty, has a card that the bank never accepts. */
const refusedEvery = 50

/** Returns orders. The same seed gives the same orders. */
export function ordersOf(seed: number, count: number): Order[] {
  const { whole, oneOf } = drawFrom(seed)
  return Array.from({ length: count }, (_, at) => ({
    id: `order-${at + 1}`,
    item: oneOf(items),
    quantity: whole(1, 3),
    cents: whole(100, 9_999),
    card: at % refusedEvery === 3 ? 'refused' : 'good',
  }))
}

/** More of each item than anyone orders. */
export const plenty: Record<string, number> = Object.fromEntries(items.map((item) => [item, 1e9]))

/** Returns a stock that is enough for most of the orders, but not for all. */
export function stockFor(orders: readonly Order[]): Record<string, number> {
  const stock: Record<string, number> = Object.fromEntries(items.map((item) => [item, 0]))
  for (const { item, quantity } of orders) stock[item] = (stock[item] ?? 0) + quantity
  for (const [item, wanted] of Object.entries(stock)) stock[item] = Math.floor(0.85 * wanted)
  return stock
}

export interface LoadOptions {
  /** The front's. */
  url: string
  orders: readonly Order[]
  /** Orders per second at most. By default they are sent as fast as 64 at a time can go. */
  rate?: number
  signal?: AbortSignal
  /** Headers of each request, such as a correlation id. */
  headersOf?: (order: Order) => Record<string, string>
  /** Called and awaited before the order with this index is sent for the first time. */
  onSend?: (at: number) => void | Promise<void>
  onAccepted?: (order: Order) => void
}

const atATime = 64
/** On a busy machine the front takes long for an answer. What is sent again is counted again. */
const requestTimeoutMs = 20_000
const againMs = 50

/**
 * Sends orders, each again and again until the front has accepted it.
 *
 * @returns when all are accepted
 * @throws a RangeError when the front refuses an order as invalid, or as another one under the same id
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
    // Count from now, so that a delay is not followed by a burst.
    if (rate !== undefined) nextMs = Math.max(nextMs, performance.now() - 20) + 1000 / rate
  }
  await Promise.all(underWay)

  async function place(order: Order) {
    while (!(await send(url, order, headersOf?.(order), signal))) await delay(againMs, undefined, { signal })
    onAccepted?.(order)
  }
}

/** Sends orders at a steady rate, each with its own id, until the signal is aborted; rejected with its reason. */
export async function keepPlacing(options: { url: string; rate: number; signal: AbortSignal }): Promise<never> {
  for (let round = 1; ; round++) {
    const orders = ordersOf(round, 1_000).map((order) => ({ ...order, id: `${order.id}-${round}` }))
    await placeOrders({ ...options, orders })
  }
}

/** Sends orders at a steady rate until it is disposed of. */
export function startPlacing({
  signal,
  ...options
}: {
  url: string
  rate: number
  signal: AbortSignal
}): AsyncDisposable {
  const enough = new AbortController()
  const placing = keepPlacing({ ...options, signal: AbortSignal.any([signal, enough.signal]) }).catch(() => {})
  return {
    async [Symbol.asyncDispose]() {
      enough.abort()
      await placing
    },
  }
}

/** Returns whether the front has accepted the order. If not, its fate is unknown. */
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
    // To ask again would not help: it is no order, or its id is that of another one.
    if (response.status === 400 || response.status === 409)
      throw new RangeError(`the front refuses ${order.id}: ${answer}`)
    return response.status === 202
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof RangeError) throw error
    return false
  }
}
