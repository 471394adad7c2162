/** A client that is traced: each of its orders begins a trace. */
import { context, propagation, SpanKind, trace } from '@opentelemetry/api'
import { placeOrders } from '../pipeline/load.ts'
import type { Order } from '../pipeline/orders.ts'
import { tierKey } from './traces.ts'

/**
 * Places an order, after `startTracing`.
 *
 * @param tier of the customer; each process that has to do with the order learns it
 * @returns the trace's id, whether or not it is recorded
 */
export async function placeTraced(
  order: Order,
  { url, tier, signal }: { url: string; tier: 'gold' | 'standard'; signal?: AbortSignal },
): Promise<string> {
  const tracer = trace.getTracer('client')
  const baggage = propagation.createBaggage({ [tierKey]: { value: tier } })
  // #region trace
  const about = propagation.setBaggage(context.active(), baggage)
  return await tracer.startActiveSpan('place order', { kind: SpanKind.CLIENT }, about, async (span) => {
    // A request that is sent again has the same headers.
    const headers: Record<string, string> = {}
    propagation.inject(context.active(), headers)
    await placeOrders({ url, orders: [order], headersOf: () => headers, ...(signal && { signal }) })
    span.end()
    return span.spanContext().traceId
  })
  // #endregion trace
}
