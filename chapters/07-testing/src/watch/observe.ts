/**
 * Logs, traces and metrics for the pipeline's processes, any or all of them: the module that `startPipeline` hands to
 * each process as `instruments`. The environment variable OBSERVE says which are wanted.
 */
import type { Instrument, Instruments } from '../pipeline/instruments.ts'
import type { Tracing } from './messaging.ts'

export interface Watched {
  /** The folder for the log file of each process. */
  logs?: string | undefined
  /** The folder where each process writes the address of its metrics, for Prometheus (file_sd). */
  metrics?: string | undefined
  /** Which orders to trace, and how. Traces go to OTEL_EXPORTER_OTLP_ENDPOINT. */
  traces?: Tracing | undefined
}

/** Returns the options of `startPipeline` that switch watching on. */
export function observed(watched: Watched, env: NodeJS.ProcessEnv = {}) {
  return { instruments: new URL('./observe.ts', import.meta.url), env: { ...env, OBSERVE: JSON.stringify(watched) } }
}

const observe: Instrument = async (identity) => {
  const { logs, metrics, traces } = JSON.parse(process.env.OBSERVE ?? '{}') as Watched
  const parts: Instruments[] = []
  // Load only what is wanted: each module takes time to load.
  if (traces !== undefined) parts.push(await (await import('./traces.ts')).watchTraces(identity, traces))
  if (metrics !== undefined) parts.push(await (await import('./metrics.ts')).watchMetrics(identity, metrics))
  if (logs !== undefined) parts.push((await import('./logs.ts')).watchLogs(identity, logs))
  return combine(parts)
}
export default observe

/** The first part is the outermost: its time contains that of the others. */
function combine(parts: Instruments[]): Instruments {
  const log = parts.find((part) => part.log)?.log
  const telemetry = parts.find((part) => part.telemetry)?.telemetry
  type Around = NonNullable<Instruments['around']>
  const around = parts
    .flatMap(({ around }) => around ?? [])
    .reduceRight<Around>(
      (inner, outer) => (step, run) => outer(step, () => inner(step, run)),
      (_step, run) => run(),
    )
  return {
    ...(log && { log }),
    ...(telemetry && { telemetry }),
    around,
    routes: (app) => {
      for (const { routes } of parts) routes?.(app)
    },
    close: async () => {
      for (const { close } of parts) await close?.()
    },
  }
}
