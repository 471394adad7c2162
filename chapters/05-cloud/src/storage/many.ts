/** Many small transfers at once, because each one mostly waits for the other end. */
import pLimit from 'p-limit'

export interface ManyOptions {
  /** How many at once. With 1 they run one after another. */
  concurrency: number
  signal?: AbortSignal | undefined
  /** Called with the number of finished items. */
  onProgress?: ((done: number) => void) | undefined
}

/**
 * Calls `work` for every item, several at once. Returns the results in the order of the items.
 *
 * @throws the first error. After it no work begins, and running work ends before this throws.
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
