// The checker says: The repeated revocation says too late, and the task never runs.
/** Only the call that changes the state says that the task is revoked. */
import type { Task } from '../check.ts'

export async function begin(task: Task): Promise<boolean> {
  const found = await task.change('waiting', 'running')
  return found === 'waiting' || found === 'running'
}

export async function revoke(task: Task): Promise<'revoked' | 'too late'> {
  return (await task.change('waiting', 'revoked')) === 'waiting' ? 'revoked' : 'too late'
}
