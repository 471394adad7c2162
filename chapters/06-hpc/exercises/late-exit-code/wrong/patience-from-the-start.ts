// The checker says: It gives up too early: the file may still be on its way.
/** Counts the time since the first poll, and not since the job went missing. */
import type { Clock, Seen } from '../check.ts'

export async function exitCode(
  poll: () => Promise<Seen>,
  { clock, everyMs, patienceMs }: { clock: Clock; everyMs: number; patienceMs: number },
): Promise<number | undefined> {
  const begin = clock.now()
  for (;;) {
    const { listed, file } = await poll()
    if (file !== undefined && /^\d+\s*$/.test(file)) return Number(file)
    if (!listed && clock.now() - begin >= patienceMs) return undefined
    await clock.sleep(everyMs)
  }
}
