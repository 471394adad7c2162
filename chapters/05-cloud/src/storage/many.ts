/** Many small transfers at once: each one is mostly waiting for the other end. */
import pLimit from 'p-limit'

export interface ManyOptions {
  /** How many at once; 1 is one after the other. */
  concurrency: number
  signal?: AbortSignal | undefined
  /** Called with the number of items that are done. */
  onProgress?: ((done: number) => void) | undefined
}

/**
 * Does the same with every item, several at once, and returns the results in the order of the items.
 *
 * @throws the first error, after what was under way has ended; nothing is begun after it
 */
export async function forMany<Item, Result>(
  items: readonly Item[],
  { concurrency, signal, onProgress }: ManyOptions,
  work: (item: Item, stop: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const failed = new AbortController()
  const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal
  let done = 0
  const working = pLimit(concurrency).map(items, async (item) => {
    try {
      stop.throwIfAborted()
      const result = await work(item, stop)
      onProgress?.(++done)
      return [result]
    } catch (error) {
      failed.abort(error)
      return []
    }
  })
  const results = await working
  stop.throwIfAborted()
  return results.flat() as Result[]
}
