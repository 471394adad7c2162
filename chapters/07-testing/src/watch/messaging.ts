/**
 * BullMQ's spans as OpenTelemetry's conventions for messaging have them: what they are called, of which kind they are,
 * what they say, and how the span of a job knows the one that sent it.
 *
 * https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
 */
import {
  type Context,
  context,
  createContextKey,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { ATTR_SERVER_ADDRESS, ATTR_SERVER_PORT } from '@opentelemetry/semantic-conventions'
import {
  ATTR_MESSAGING_CLIENT_ID,
  ATTR_MESSAGING_DESTINATION_NAME,
  ATTR_MESSAGING_MESSAGE_ID,
  ATTR_MESSAGING_OPERATION_NAME,
  ATTR_MESSAGING_OPERATION_TYPE,
  ATTR_MESSAGING_SYSTEM,
  MESSAGING_OPERATION_TYPE_VALUE_PROCESS,
  MESSAGING_OPERATION_TYPE_VALUE_SEND,
  MESSAGING_OPERATION_TYPE_VALUE_SETTLE,
} from '@opentelemetry/semantic-conventions/incubating'
import type { Span, Telemetry } from 'bullmq'
import { BullMQOtel } from 'bullmq-otel'

/** How traces are cut, and which of them are recorded. */
export interface Tracing {
  /** The share of the traces to record, 0 to 1. */
  share: number
  /** The span of a job is a child of the span that sent it. By default it begins a trace that is linked to that one. */
  parent?: boolean
  /** Each trace decides for itself. By default the first one decides for those that are linked to it, too. */
  each?: boolean
}

/** The convention's type and kind for each of BullMQ's operations on a message. */
const settle = { type: MESSAGING_OPERATION_TYPE_VALUE_SETTLE, kind: SpanKind.CLIENT }
const operations: Record<string, { type: string; kind: SpanKind }> = {
  add: { type: MESSAGING_OPERATION_TYPE_VALUE_SEND, kind: SpanKind.PRODUCER },
  process: { type: MESSAGING_OPERATION_TYPE_VALUE_PROCESS, kind: SpanKind.CONSUMER },
  complete: settle,
  delay: settle,
  retry: settle,
  fail: settle,
}

/** BullMQ's own attributes that have a name in the convention. */
const named = { 'bullmq.job.id': ATTR_MESSAGING_MESSAGE_ID, 'bullmq.worker.name': ATTR_MESSAGING_CLIENT_ID }

/** Set while a message is being sent. */
const sending = createContextKey('the span of this context is the creation context of a message')

export const isSampled = (span: SpanContext | undefined) => ((span?.traceFlags ?? 0) & TraceFlags.SAMPLED) !== 0

/** True even if the span is in another process: the mark comes with the request or the job. */
export const isTraced = (active: Context) => active !== ROOT_CONTEXT && isSampled(trace.getSpanContext(active))

/** Whether a context has anything that must reach the next process. */
export const isCarried = (active: Context, { each }: Pick<Tracing, 'each'>) =>
  isTraced(active) ||
  (active !== ROOT_CONTEXT &&
    (propagation.getBaggage(active) !== undefined || (each === true && trace.getSpanContext(active) !== undefined)))

/**
 * Returns the telemetry for BullMQ's queues and workers.
 *
 * Most orders are not traced, and should not pay for tracing: no span is created for them, no context is kept, and
 * nothing is added to their jobs. Without this, tracing one order in a hundred costs nearly as much as tracing all.
 *
 * @param broker the URL of Redis
 */
export function messagingTelemetry(tracing: Omit<Tracing, 'share'>, broker: string): Telemetry<Context> {
  const { tracer, contextManager } = new BullMQOtel({ tracerName: 'bullmq' })
  const { hostname, port } = new URL(broker)
  const server = { [ATTR_SERVER_ADDRESS]: hostname, [ATTR_SERVER_PORT]: Number(port || 6379) }
  // #region consumer
  function startSpan(name: string, given: { kind: number }, creation: Context | undefined): Span<Context> {
    // BullMQ says `process payment`, but `add payment.name-of-the-job`.
    const [operation = name, target = ''] = name.split(' ')
    const known = operations[operation]
    if (!known) return tracer.startSpan(name, given, creation)
    const { type, kind } = known
    const queue = kind === SpanKind.PRODUCER ? target.replace(/\..*/, '') : target
    const creator = creation && trace.getSpanContext(creation)
    const options: SpanOptions = {
      kind,
      attributes: {
        [ATTR_MESSAGING_SYSTEM]: 'bullmq',
        [ATTR_MESSAGING_OPERATION_NAME]: operation,
        [ATTR_MESSAGING_OPERATION_TYPE]: type,
        [ATTR_MESSAGING_DESTINATION_NAME]: queue,
        ...server,
      },
      // The message has come from another process, with the context of the span that sent it.
      ...(creator && { links: [{ context: creator }], root: !tracing.parent }),
    }
    return translated(tracer.startSpan(`${operation} ${queue}`, options as typeof given, creation), kind)
  }
  // #endregion consumer
  return {
    tracer: {
      startSpan: (name, options = { kind: SpanKind.INTERNAL }, creation) =>
        isCarried(creation ?? context.active(), tracing) ? startSpan(name, options, creation) : nothing,
    },
    contextManager: {
      with: (active, run) => (active === context.active() ? run() : contextManager.with(active, run)),
      active: () => contextManager.active(),
      // A retry is caused by the span that has sent the message, as the first delivery is. BullMQ would replace it.
      getMetadata: (active) => (active.getValue(sending) === true ? contextManager.getMetadata(active) : ''),
      fromMetadata: (active, metadata) => contextManager.fromMetadata(active, metadata),
    },
  }
}

/** Returns a span that says under the convention's names, too, what BullMQ tells it. */
function translated(span: Span<Context>, kind: SpanKind): Span<Context> {
  return {
    setSpanOnContext: (active) =>
      span.setSpanOnContext(active).setValue(sending, kind === SpanKind.PRODUCER ? true : undefined),
    setAttribute: (key, value) => span.setAttribute(key, value),
    setAttributes(attributes) {
      span.setAttributes(attributes)
      for (const [own, name] of Object.entries(named)) {
        const value = attributes[own]
        if (value !== undefined) span.setAttribute(name, value)
      }
    },
    addEvent: (name, attributes) => span.addEvent(name, attributes),
    recordException: (exception, time) => span.recordException(exception, time),
    end: () => span.end(),
  }
}

const nothing: Span<Context> = {
  setSpanOnContext: (active) => active,
  setAttribute() {},
  setAttributes() {},
  addEvent() {},
  recordException() {},
  end() {},
}
