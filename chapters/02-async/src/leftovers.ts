/** What a process still has to do. */
import { setTimeout as delay } from 'node:timers/promises'

/** What keeps this process alive, each kind with its number: `1 ProcessWrap, 4 PipeWrap`. */
export function activeResources(): string {
  // An immediate is due in this very turn of the loop: whoever asks may have caused it.
  const lasting = process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate')
  const kinds = Object.groupBy(lasting, (kind) => kind)
  return Object.entries(kinds)
    .map(([kind, all = []]) => `${all.length} ${kind}`)
    .sort()
    .join(', ')
}

/** Asks again and again until a condition holds. Throws what `otherwise` says after `withinMs`, or the signal's reason. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  otherwise: () => string,
  signal: AbortSignal,
  withinMs = 5_000,
): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(otherwise())
    await delay(2, undefined, { signal })
  }
}
