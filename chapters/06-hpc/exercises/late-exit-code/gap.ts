// The checker says: It returns without having polled.
/** How a job ended, from the scheduler's list and a file that may come late. */
import type { Clock, Seen } from './check.ts'

/**
 * Polls until it is known how a job ended. Returns its exit code; undefined if the job has been missing from the list
 * for `patienceMs` without one.
 *
 * @param poll looks at the list and the file, both at the same moment
 */
export async function exitCode(
  _poll: () => Promise<Seen>,
  _options: { clock: Clock; everyMs: number; patienceMs: number },
): Promise<number | undefined> {
  // Your code: since when has the job been missing?
  return undefined
}
