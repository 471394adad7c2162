/** How a job ended, from the scheduler's list and a file that may come late. */
import type { Clock, Seen } from './check.ts'

/**
 * Polls until it is known how a job ended. Returns its exit code; undefined if the job has been missing from the list
 * for `patienceMs` without one.
 *
 * @param poll looks at the list and the file, both at the same moment
 */
export async function exitCode(
  poll: () => Promise<Seen>,
  { clock, everyMs, patienceMs }: { clock: Clock; everyMs: number; patienceMs: number },
): Promise<number | undefined> {
  let missingSince: number | undefined
  for (;;) {
    const { listed, file } = await poll()
    // An empty file is one that is still on its way, and no 0.
    if (file !== undefined && /^\d+\s*$/.test(file)) return Number(file)
    // A job that is listed is there. What was missing before no longer counts.
    if (listed) missingSince = undefined
    else missingSince ??= clock.now()
    if (missingSince !== undefined && clock.now() - missingSince >= patienceMs) return undefined
    await clock.sleep(everyMs)
  }
}
