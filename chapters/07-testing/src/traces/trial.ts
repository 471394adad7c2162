/** Orders through the pipeline one after the other, each the beginning of a trace of its own. */
import { context, propagation, SpanKind, trace } from '@opentelemetry/api'
import { placeOrders, stockFor } from '../pipeline/load.ts'
import type { Order } from '../pipeline/orders.ts'
import { startPipeline } from '../pipeline/pipeline.ts'
import { observed } from '../watch/observe.ts'
import { startTracing } from '../watch/traces.ts'

/**
 * Sends all spans to the endpoint in `env` and, by its own environment, from this process.
 *
 * @returns the trace's id of each order, when all of them have ended
 */
export async function runTraced(
  orders: readonly Order[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const tracing = startTracing('client', 1)
  const tracer = trace.getTracer('client')
  const traceOf = new Map<string, string>()
  {
    await using pipeline = await startPipeline({ stock: stockFor(orders), ...observed({ traces: 1 }, env), signal })
    for (const order of orders) {
      await tracer.startActiveSpan('place order', { kind: SpanKind.CLIENT }, async (span) => {
        traceOf.set(order.id, span.spanContext().traceId)
        // The trace's id and this span's go with the request, in the header traceparent.
        const headers: Record<string, string> = {}
        propagation.inject(context.active(), headers)
        await placeOrders({ url: pipeline.url, orders: [order], signal, headersOf: () => headers })
        span.end()
      })
    }
    await pipeline.drained({ signal })
  }
  await tracing.close()
  return traceOf
}
