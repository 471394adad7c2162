// The checker says: The file is still empty, and it returns a code.
/** Reads the file as soon as there is one. */
import type { Clock, Seen } from '../check.ts'

export async function exitCode(
  poll: () => Promise<Seen>,
  { clock, everyMs, patienceMs }: { clock: Clock; everyMs: number; patienceMs: number },
): Promise<number | undefined> {
  let missingSince: number | undefined
  for (;;) {
    const { listed, file } = await poll()
    if (file !== undefined) return Number(file)
    if (listed) missingSince = undefined
    else missingSince ??= clock.now()
    if (missingSince !== undefined && clock.now() - missingSince >= patienceMs) return undefined
    await clock.sleep(everyMs)
  }
}
