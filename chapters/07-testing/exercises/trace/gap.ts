// The checker says: The job carries no traceparent.
/** The context of a trace goes through a queue, in a job's header. */
import type { Job, Queue, Span, SpanContext, Tracer } from './check.ts'

/** Puts a job into the queue, with the producer's span in its header `traceparent`. */
export async function send(queue: Queue, name: string, _producer: SpanContext): Promise<void> {
  // Your code: what does the consumer have to know?
  await queue.add({ name, headers: {} })
}

/**
 * Handles one delivery of a job, in a span that is a child of the producer's.
 *
 * @throws what the work throws
 */
export async function handle(job: Job, tracer: Tracer, work: (span: Span) => Promise<void>): Promise<void> {
  // Your code: whose child is it, and when does it end?
  const span = tracer.start(job.name)
  await work(span)
  span.end()
}
