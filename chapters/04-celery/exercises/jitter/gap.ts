// The checker says: It gives up although it may try again.
/** Retries with exponential back-off, full jitter and a cap. */
import type { RetryOptions } from './check.ts'

/**
 * Returns what `run` returns once it succeeds. Between two tries it sleeps a random part of the longest wait.
 *
 * @throws the error of the last try, or the first error that will not pass
 */
export async function retry<Result>(run: () => Promise<Result>, _options: RetryOptions): Promise<Result> {
  // Your code: how long may the wait after try n be, and which part of it is random?
  return await run()
}
