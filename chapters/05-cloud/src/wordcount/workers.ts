/** The workers of wordcount as processes on this machine. */
import { type Program, startProgram } from '@repo/common/process/child'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { type Places, placesForWorkers } from '../cloud/place.ts'
import type { QueueUrls } from '../queues.ts'

/** What a worker needs to know. */
export interface Work {
  queues: QueueUrls
  visibilitySeconds: number
  /** Its name in reports. */
  worker: string
  /**
   * The instance metadata service, and how often the worker polls it for the notice that its machine will be taken
   * away.
   */
  metadata?: { url: string; everyMs: number }
}

const variable = 'DISTRIBUTED_COMPUTING_WORK'

/** The environment variables that tell a worker its work and the places of its cloud. */
export function workerEnvironment(places: Places, work: Work): Record<string, string> {
  return { ...placesForWorkers(places), [variable]: JSON.stringify(work) }
}

/**
 * The work that was given to this process.
 *
 * @throws an Error when there is none
 */
export function workFromEnvironment(): Work {
  const text = process.env[variable]
  if (!text) throw new Error(`${variable} is not set: only wordcount can start this program`)
  return JSON.parse(text) as Work
}

export interface Workers extends AsyncDisposable {
  /** Empty where the workers are not processes on this machine. */
  processes: Program<undefined>[]
  /** Rejected when no worker is left. */
  gone: Promise<never>
}

/** The work of several workers. `name` is the name of a single worker, and the beginning of the names of several. */
export type GroupWork = Omit<Work, 'worker'> & { name?: string }

/** Starts workers and waits until they listen. Disposing of them makes them put back their jobs and leave. */
export async function startWorkers(
  count: number,
  places: Places,
  { name = '', ...work }: GroupWork,
  signal: AbortSignal | undefined,
): Promise<Workers> {
  await using stack = new AsyncDisposableStack()
  const starting = Array.from({ length: count }, (_, at) =>
    startProgram<undefined>(new URL('./count.program.ts', import.meta.url), {
      env: workerEnvironment(places, { ...work, worker: count > 1 || name === '' ? `${name}${at + 1}` : name }),
      signal,
    }).then((program) => stack.use(program)),
  )
  await Promise.allSettled(starting)
  const processes = await Promise.all(starting)
  const gone = Promise.all(processes.map(({ exited }) => exited)).then((exits): never => {
    const [how] = exits.map(({ code, signal: by }) => (by ? `by ${by}` : `with code ${code}`))
    throw new Error(`all workers have ended, ${how}`)
  })
  gone.catch(() => {})
  const owned = stack.move()
  return { processes, gone, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
