// The checker says: b has failed, and a is not cancelled.
/** Waits for all tasks, and looks only then whether one has failed. */
import type { Task } from '../check.ts'

export async function together<Result>(tasks: readonly Task<Result>[]): Promise<Result[]> {
  const group = new AbortController()
  const running = tasks.map(async (task) => await task(group.signal))
  await Promise.allSettled(running)
  try {
    return await Promise.all(running)
  } catch (error) {
    group.abort(error)
    throw error
  }
}
