/** Starting several processes at a time. */

/**
 * Waits until all have started. They belong to the stack from the beginning: when one cannot be started, the others, which
 * may still be about to start, are stopped with it. All are stopped at a time, for each may take its whole time to end.
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
