// The checker says: The worker is killed, and nobody ever runs its task.
/** Lets nobody take over from a worker that died. */
import type { Task } from '../check.ts'

export async function begin(task: Task): Promise<boolean> {
  return (await task.change('waiting', 'running')) === 'waiting'
}

export async function revoke(task: Task): Promise<'revoked' | 'too late'> {
  const found = await task.change('waiting', 'revoked')
  return found === 'waiting' || found === 'revoked' ? 'revoked' : 'too late'
}
