/** Tasks that compute: in a thread they do not block the event loop, and a limit or a revocation really ends them. */
import type { Piscina } from 'piscina'
import type { TaskContext } from '../queue/task.ts'

/**
 * A `run` for a task that calls the default export of a file in a thread, with the task's arguments. Aborting
 * `context.signal` ends the thread, whatever it does; so the soft limit of such a task is as hard as the hard one.
 *
 * @param file a worker thread
 * @param threads at most this many. Default: one for each core that this process may use
 */
export function inThread<Args, Result>(
  file: URL,
  { threads }: { threads?: number } = {},
): (args: Args, context: TaskContext) => Promise<Result> {
  let pool: Promise<Piscina<Args, Result>> | undefined
  return async (args, { signal }) => {
    // Loaded with the first task: a program that only sends needs no threads.
    pool ??= import('piscina').then(
      ({ Piscina }) =>
        new Piscina({ filename: file.href, minThreads: 0, ...(threads !== undefined && { maxThreads: threads }) }),
    )
    return await (await pool).run(args, { signal })
  }
}
