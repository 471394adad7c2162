/**
 * Traces by OpenTelemetry: a span for each request, message, job, effect and Redis command. Spans are sent in batches,
 * over OTLP, to OTEL_EXPORTER_OTLP_ENDPOINT. How the spans of a job and of its sender know each other is in messaging.ts.
 */
import { createRequire } from 'node:module'
import { type Context, context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'
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
import { ATTR_ERROR_TYPE } from '@opentelemetry/semantic-conventions'
import { ATTR_MESSAGING_MESSAGE_CONVERSATION_ID } from '@opentelemetry/semantic-conventions/incubating'
import { messageOf } from '@repo/common/output/errors'
import { maskPasswords } from '@repo/common/output/secrets'
import { Redis } from 'ioredis'
import type { Identity, Instruments, Step } from '../pipeline/instruments.ts'
import { isCarried, isSampled, isTraced, messagingTelemetry, type Tracing } from './messaging.ts'

const exportEveryMs = 500

/**
 * Registers a tracer for this process. Whether a trace is recorded is decided once, where it begins, and the decision
 * travels with the trace: there are no half traces.
 *
 * @param endpoint of the collector; by default the one that the environment names
 */
export function startTracing(
  name: string,
  { share, each }: Tracing,
  endpoint?: string,
): { close: () => Promise<void> } {
  const some = new TraceIdRatioBasedSampler(share)
  // #region sampler
  /** Decides for spans without a parent. */
  const root: Sampler = {
    shouldSample(context, traceId, _name, kind, _attributes, [link]) {
      const { RECORD_AND_SAMPLED, NOT_RECORD } = SamplingDecision
      // Otherwise a worker waiting for its next job would start one trace after another.
      if (kind === SpanKind.INTERNAL) return { decision: NOT_RECORD }
      if (link && !each) return { decision: isSampled(link.context) ? RECORD_AND_SAMPLED : NOT_RECORD }
      return some.shouldSample(context, traceId)
    },
    toString: () => `requests: ${some}`,
  }
  // #endregion sampler
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
  const propagators = [new W3CTraceContextPropagator(), new W3CBaggagePropagator()]
  propagation.setGlobalPropagator(new CompositePropagator({ propagators }))
  trace.setGlobalTracerProvider(provider)
  return {
    async close() {
      await provider.shutdown()
      // So that it can be started again.
      trace.disable()
      propagation.disable()
      context.disable()
    },
  }
}

// #region baggage
/** The one entry of baggage that the pipeline knows. */
export const tierKey = 'customer.tier'

/**
 * Returns the context in a request's headers, with the known entry of its baggage. Any stranger may send any baggage,
 * and each further service and each job would carry it.
 */
function contextOf(step: Step): Context {
  const from = propagation.extract(ROOT_CONTEXT, step)
  const tier = propagation.getBaggage(from)?.getEntry(tierKey)
  if (!tier || !/^[a-z]{1,16}$/.test(tier.value)) return propagation.deleteBaggage(from)
  return propagation.setBaggage(from, propagation.createBaggage({ [tierKey]: { value: tier.value } }))
}
// #endregion baggage

export function watchTraces({ name }: Identity, tracing: Tracing): Instruments {
  const { share, each } = tracing
  // Here a trace without a client's begins with a request, for which `around` decides; others follow their parent or link.
  const { close } = startTracing(name, each ? tracing : { share: 1 })
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
    telemetry: messagingTelemetry(tracing, process.env.REDIS_URL ?? ''),
    around: (step, run) => {
      const parent = step.traceparent || step.baggage ? contextOf(step) : context.active()
      // Even if the client's header cannot be read.
      const begins = step.kind === 'request' && !trace.getSpan(parent)
      // Decided here: by the time a sampler is asked, most of a span has been created.
      if (begins ? !each && Math.random() >= share : !isTraced(parent))
        return isCarried(parent, tracing) ? context.with(parent, run) : run()
      const tier = propagation.getBaggage(parent)?.getEntry(tierKey)?.value
      const attributes = {
        'order.id': step.order ?? '',
        'correlation.id': step.correlation ?? '',
        ...(tier !== undefined && { [tierKey]: tier }),
      }
      if (step.kind === 'job') {
        // BullMQ has begun a span for the job, and does not say when it fails.
        const span = trace.getActiveSpan()
        span?.setAttributes({
          ...attributes,
          [ATTR_MESSAGING_MESSAGE_CONVERSATION_ID]: step.correlation ?? '',
          'messaging.bullmq.delivery': step.delivery ?? 1,
        })
        return run().catch((error) => {
          span?.setAttribute(ATTR_ERROR_TYPE, error instanceof Error ? error.constructor.name : typeof error)
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
