/** The workers of wordcount as processes of this machine. */
import { type Program, startProgram } from '@repo/common/process/child'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { type Places, placesForWorkers } from '../cloud/cloud.ts'
import type { QueueUrls } from '../queues.ts'

/** What a worker is told. */
export interface Work {
  queues: QueueUrls
  visibilitySeconds: number
  /** Its name in reports. */
  worker: string
  /** The instance metadata service, and how often it asks there whether it has to leave. */
  metadata?: { url: string; everyMs: number }
}

const variable = 'DISTRIBUTED_COMPUTING_WORK'

/** The environment in which a worker finds what it is told, and where its cloud is. */
export function workerEnvironment(places: Places, work: Work): NodeJS.ProcessEnv {
  return { ...placesForWorkers(places), [variable]: JSON.stringify(work) }
}

export function workFromEnvironment(): Work {
  const text = process.env[variable]
  if (!text) throw new Error(`${variable} is not set: workers are started by wordcount`)
  return JSON.parse(text) as Work
}

export interface Workers extends AsyncDisposable {
  processes: Program<undefined>[]
  /** Rejected when the last worker has ended. */
  gone: Promise<never>
}

/** What all workers of a group are told; `name` is their name where there is one, and begins it where there are more. */
export type GroupWork = Omit<Work, 'worker'> & { name?: string }

/** Starts workers and waits until they listen; disposing of them has them put back what they hold and leave. */
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
