/** A queue, its workers, and what they count together. */
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { Cloud } from '../cloud/cloud.ts'
import { makeQueues, untilHeld } from '../queues.ts'
import { deletePrefix } from '../storage/buckets.ts'
import { jobsOf, mapReduce, type Report, type Total } from './map-reduce.ts'
import { startWorkers } from './workers.ts'

export interface TeamOptions {
  bucket: string
  /** The texts in it. */
  texts: readonly { key: string; bytes: number }[]
  /** How many workers. */
  size: number
  /** Processes of this machine, or instances of EC2 that end by themselves after some minutes. */
  on: 'processes' | { minutes: number; onStep: (what: string, came: string) => void }
  /** Into how many jobs the texts are divided, and how many times each of them is counted. */
  jobs: number
  repeat: number
  /** After how long the job of a dead worker comes back. */
  visibilitySeconds: number
  signal: AbortSignal
}

/** Results of one team never meet those of another. Disposing of it ends its workers and removes its queues and results. */
export interface Team extends AsyncDisposable {
  /**
   * Counts the texts, once for each call.
   *
   * @param kill how many workers are killed once they hold a job: SIGKILL leaves no time to put it back
   * @returns how many were killed as well: none where there was nothing left to do before that
   */
  count: (options: { kill?: number; onReport: (report: Report) => void }) => Promise<Total & { killed: number }>
}

export async function startTeam(cloud: Cloud, options: TeamOptions): Promise<Team> {
  const { bucket, texts, size, on, jobs, repeat, visibilitySeconds, signal } = options
  const { s3, sqs, places } = cloud
  await using stack = new AsyncDisposableStack()
  const { urls } = stack.use(await makeQueues(sqs, { visibilitySeconds, signal }))
  const work = { queues: urls, visibilitySeconds }
  // Loaded where it is needed: the SDK's part for EC2 is large.
  const { launchWorkers } = on === 'processes' ? {} : await import('./instance-workers.ts')
  const group = stack.use(
    launchWorkers && on !== 'processes'
      ? await launchWorkers(size, { ...work, ...on, cloud, bucket, type: 't3.micro', signal })
      : await startWorkers(size, places, work, signal),
  )
  const prefix = `results/${urls.jobs.split('/').at(-1)}/`
  stack.defer(() => deletePrefix(s3, bucket, prefix).then(() => {}))
  const owned = stack.move()

  async function count({ kill = 0, onReport }: Parameters<Team['count']>[0]) {
    const finished = new AbortController()
    let killed = 0
    if (kill > 0) {
      // More than the others can hold, two each: one of the victims holds at least one.
      const held = Math.min(2 * (size - kill) + 1, jobs)
      untilHeld(sqs, urls.jobs, held, AbortSignal.any([signal, finished.signal])).then(
        () => {
          killed = group.processes.slice(0, kill).filter(({ process }) => process.kill('SIGKILL')).length
        },
        () => {},
      )
    }
    const list = jobsOf(texts, { bucket, prefix, count: jobs, repeat })
    const watching = { signal, workersGone: group.gone, onReport }
    const total = await mapReduce({ s3, sqs }, urls, list, watching).finally(() => finished.abort())
    return { ...total, killed }
  }
  return { count, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
