/** Tasks that begin and end together. */
import type { Task } from './check.ts'

/**
 * Starts all tasks, and waits until all have ended. Returns their results in the order of the tasks. If one fails, cancels
 * the others, and throws the error of the one that failed first when none is left.
 */
export async function together<Result>(tasks: readonly Task<Result>[]): Promise<Result[]> {
  const group = new AbortController()
  // An async function: a task that throws at once is a task that fails, too.
  const running = tasks.map(async (task) => {
    try {
      return await task(group.signal)
    } catch (error) {
      // Only the first abort counts, so the signal's reason is the first error.
      group.abort(error)
      throw error
    }
  })
  // Unlike Promise.all, it waits for all of them.
  await Promise.allSettled(running)
  group.signal.throwIfAborted()
  return await Promise.all(running)
}
