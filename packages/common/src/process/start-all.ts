/** Starts several processes at once. */

/**
 * Waits until all have started. The stack owns them from the beginning: if one fails to start, disposing of the stack
 * also stops those that are still starting. It stops all of them at once, because each may take its full time to end.
 */
export async function startAll<T extends AsyncDisposable | undefined>(
  stack: { defer: (dispose: () => Promise<void>) => void },
  starting: Promise<T>[],
): Promise<T[]> {
  stack.defer(async () => {
    const settled = await Promise.allSettled(starting)
    const started = settled.flatMap((each) => (each.status === 'fulfilled' ? (each.value ?? []) : []))
    await Promise.all(started.map((each) => each[Symbol.asyncDispose]()))
  })
  return await Promise.all(starting)
}
