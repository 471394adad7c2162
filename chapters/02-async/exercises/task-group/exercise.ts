/** Tasks that begin and end together. */
import type { Task } from './check.ts'

/**
 * Starts all tasks, and waits until all have ended. Returns their results in the order of the tasks. If one fails, cancels
 * the others, and throws the error of the one that failed first when none is left.
 */
export async function together<Result>(_tasks: readonly Task<Result>[]): Promise<Result[]> {
  // Your code: what becomes of the others when one fails, and who waits for them?
  return []
}
