/**
 * Traces by OpenTelemetry: a span for each request, message, job, effect and Redis command. Its parent is the span that
 * caused it, even in another process. Spans are sent in batches, over OTLP, to OTEL_EXPORTER_OTLP_ENDPOINT.
 */
import { createRequire } from 'node:module'
import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { IORedisInstrumentation } from '@opentelemetry/instrumentation-ioredis'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { messageOf } from '@repo/common/output/errors'
import { maskPasswords } from '@repo/common/output/secrets'
import type { Span, Telemetry } from 'bullmq'
import { BullMQOtel } from 'bullmq-otel'
import { Redis } from 'ioredis'
import type { Identity, Instruments } from '../pipeline/instruments.ts'

const exportEveryMs = 500

/**
 * Registers a tracer for this process. Whether an order is traced is decided once, where its trace begins, and the
 * decision travels with the trace.
 *
 * @param share of the traces that begin here, 0 to 1
 * @param endpoint of the collector; by default the one that the environment names
 */
export function startTracing(name: string, share: number, endpoint?: string): { close: () => Promise<void> } {
  const some = new TraceIdRatioBasedSampler(share)
  const root: Sampler = {
    // Otherwise a worker waiting for its next job would start one trace after another.
    shouldSample: (context, traceId, _name, kind) =>
      kind === SpanKind.INTERNAL ? { decision: SamplingDecision.NOT_RECORD } : some.shouldSample(context, traceId),
    toString: () => `requests: ${some}`,
  }
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': name }),
    sampler: new ParentBasedSampler({ root }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter(endpoint === undefined ? {} : { url: `${endpoint}/v1/traces` }),
        scheduledDelayMillis: exportEveryMs,
        maxQueueSize: 20_000,
        maxExportBatchSize: 1_000,
      }),
    ],
  })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(provider)
  return { close: () => provider.shutdown() }
}

export function watchTraces({ name }: Identity, share: number): Instruments {
  const { close } = startTracing(name, 1)
  // Wraps Redis commands when a span is active, and keeps only their names. The library leaves out the values of SET,
  // but not those of a script: whole orders would be sent to the trace backend.
  const plain = Redis.prototype.sendCommand
  const redis = new IORedisInstrumentation({ dbStatementSerializer: (name) => name })
  // This call wraps the commands, also for modules that have imported ioredis already.
  createRequire(import.meta.url)('ioredis')
  const traced = Redis.prototype.sendCommand
  Redis.prototype.sendCommand = function (...command) {
    return (isTraced(context.active()) ? traced : plain).apply(this, command)
  }
  const tracer = trace.getTracer('pipeline')

  return {
    telemetry: onlyWhatIsTraced(new BullMQOtel({ tracerName: 'bullmq' })),
    around: (step, run) => {
      const parent = step.traceparent ? propagation.extract(ROOT_CONTEXT, step) : context.active()
      // Even if the client's header cannot be read.
      const begins = step.kind === 'request' && !trace.getSpan(parent)
      // Decided here: by the time a sampler is asked, most of a span has been created.
      if (begins ? Math.random() >= share : !isTraced(parent)) return run()
      const attributes = { 'order.id': step.order ?? '', 'correlation.id': step.correlation ?? '' }
      if (step.kind === 'job') {
        // BullMQ has begun a span for the job, as a child of the span that sent it, and does not say when it fails.
        const span = trace.getActiveSpan()
        span?.setAttributes({ ...attributes, 'messaging.delivery': step.delivery ?? 1 })
        return run().catch((error) => {
          span?.setStatus(failure(error))
          throw error
        })
      }
      const kind = step.kind === 'request' ? SpanKind.SERVER : SpanKind.INTERNAL
      return tracer.startActiveSpan(step.name, { kind, attributes }, parent, async (span) => {
        try {
          return await run()
        } catch (error) {
          span.setStatus(failure(error))
          throw error
        } finally {
          span.end()
        }
      })
    },
    close: async () => {
      Redis.prototype.sendCommand = plain
      redis.disable()
      await close()
    },
  }
}

const failure = (error: unknown) => ({ code: SpanStatusCode.ERROR, message: maskPasswords(messageOf(error)) })

/** True even if the span is in another process: the mark comes with the request or the job. */
const isTraced = (active: Context) =>
  active !== ROOT_CONTEXT && ((trace.getSpanContext(active)?.traceFlags ?? 0) & TraceFlags.SAMPLED) !== 0

/**
 * Most orders are not traced, and should not pay for tracing: no span is created for them, no context is kept, and
 * nothing is added to their jobs. Without this, tracing one order in a hundred costs nearly as much as tracing all.
 */
function onlyWhatIsTraced(telemetry: Telemetry<Context>): Telemetry<Context> {
  const { tracer, contextManager } = telemetry
  const nothing: Span<Context> = {
    setSpanOnContext: (active) => active,
    setAttribute() {},
    setAttributes() {},
    addEvent() {},
    recordException() {},
    end() {},
  }
  return {
    ...telemetry,
    tracer: {
      startSpan: (name, options, parent) =>
        isTraced(context.active()) || parent ? tracer.startSpan(name, options, parent) : nothing,
    },
    contextManager: {
      with: (active, run) => (active === context.active() ? run() : contextManager.with(active, run)),
      active: () => contextManager.active(),
      getMetadata: (active) => (isTraced(active) ? contextManager.getMetadata(active) : ''),
      fromMetadata: (active, metadata) => contextManager.fromMetadata(active, metadata),
    },
  }
}
