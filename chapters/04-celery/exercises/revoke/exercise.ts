/** Revoking a task that a worker may be about to begin. */
import type { Task } from './check.ts'

/**
 * Called by a worker that was handed the task, for the first time or because its worker has died. Returns whether it may
 * run it.
 */
export async function begin(_task: Task): Promise<boolean> {
  // Your code: which states does a worker that was handed the task find?
  return true
}

/** Returns 'revoked' if the task has not begun and never will; 'too late' otherwise. May be called again. */
export async function revoke(_task: Task): Promise<'revoked' | 'too late'> {
  // Your code.
  return 'too late'
}
