/** The pipeline with the faults of planted.ts under load, for whoever looks for them. */
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { keepPlacing, plenty } from '../pipeline/load.ts'
import { startPipeline } from '../pipeline/pipeline.ts'
import { type Inspector, inspect, inspectable } from './inspector.ts'

export interface Planted extends AsyncDisposable {
  /** Opens the inspector of the worker that was asked for. */
  inspect: () => Promise<Inspector>
}

/**
 * Orders come in until it is disposed of.
 *
 * @param process the worker that is to be looked at, such as `shipping 1`
 * @param rate orders per second
 */
export async function startPlanted(process: string, rate: number, signal: AbortSignal): Promise<Planted> {
  const lines: string[] = []
  await using stack = new AsyncDisposableStack()
  const pipeline = stack.use(
    await startPipeline({
      stock: plenty,
      instruments: new URL('./planted.ts', import.meta.url),
      env: inspectable,
      signal,
      // Or what is only slow would come in long pieces as well, whenever several jobs go on at once.
      concurrency: 4,
      onLine: (name, line) => void (name === process && lines.push(line)),
    }),
  )
  const worker = pipeline.processes.get(process)
  if (!worker) throw new Error(`there is no ${process}`)
  const enough = new AbortController()
  const placing = keepPlacing({ url: pipeline.url, rate, signal: AbortSignal.any([signal, enough.signal]) }).catch(
    () => {},
  )
  stack.defer(async () => {
    enough.abort()
    await placing
  })
  const owned = stack.move()
  return { inspect: () => inspect(worker, lines), [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
