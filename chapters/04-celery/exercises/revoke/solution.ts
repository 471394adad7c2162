/** Revoking a task that a worker may be about to begin. */
import type { Task } from './check.ts'

/**
 * Called by a worker that was handed the task, for the first time or because its worker has died. Returns whether it may
 * run it.
 */
export async function begin(task: Task): Promise<boolean> {
  // Looking and writing are one step: the second one finds what the first one wrote.
  const found = await task.change('waiting', 'running')
  // It is running already if the worker that began it has died.
  return found === 'waiting' || found === 'running'
}

/** Returns 'revoked' if the task has not begun and never will; 'too late' otherwise. May be called again. */
export async function revoke(task: Task): Promise<'revoked' | 'too late'> {
  const found = await task.change('waiting', 'revoked')
  // It is revoked already if the first call died before its answer.
  return found === 'waiting' || found === 'revoked' ? 'revoked' : 'too late'
}
