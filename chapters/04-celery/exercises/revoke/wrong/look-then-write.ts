// The checker says: revoke says revoked, and the task runs.
/** The worker looks, and writes in a second step. */
import type { Task } from '../check.ts'

export async function begin(task: Task): Promise<boolean> {
  const found = await task.read()
  if (found === 'revoked' || found === 'done') return false
  await task.write('running')
  return true
}

export async function revoke(task: Task): Promise<'revoked' | 'too late'> {
  const found = await task.change('waiting', 'revoked')
  return found === 'waiting' || found === 'revoked' ? 'revoked' : 'too late'
}
