/** The context of a trace goes through a queue, in a job's header. */
import type { Job, Queue, Span, SpanContext, Tracer } from './check.ts'

const valid = /^00-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})$/

/** Puts a job into the queue, with the producer's span in its header `traceparent`. */
export async function send(queue: Queue, name: string, producer: SpanContext): Promise<void> {
  const { traceId, spanId, sampled } = producer
  await queue.add({ name, headers: { traceparent: `00-${traceId}-${spanId}-${sampled ? '01' : '00'}` } })
}

/** Returns the span in a job's header; undefined if there is none that can be relied on. */
function producerOf({ headers: { traceparent } }: Job): SpanContext | undefined {
  const [found, traceId = '', spanId = '', flags = ''] = valid.exec(String(traceparent)) ?? []
  if (found === undefined) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

/**
 * Handles one delivery of a job, in a span that is a child of the producer's.
 *
 * @throws what the work throws
 */
export async function handle(job: Job, tracer: Tracer, work: (span: Span) => Promise<void>): Promise<void> {
  // The job stays as it is: the next delivery has the same producer.
  const span = tracer.start(job.name, producerOf(job))
  try {
    await work(span)
  } finally {
    span.end()
  }
}
