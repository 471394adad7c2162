/** Retries with exponential back-off, full jitter and a cap. */
import type { RetryOptions } from './check.ts'

/**
 * Returns what `run` returns once it succeeds. Between two tries it sleeps a random part of the longest wait.
 *
 * @throws the error of the last try, or the first error that will not pass
 */
export async function retry<Result>(
  run: () => Promise<Result>,
  { tries, baseMs, capMs, mayPass, random, sleep }: RetryOptions,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (error) {
      if (attempt >= tries || !mayPass(error)) throw error
      // The cap comes first: cut off afterwards, most of the random waits would be the cap itself.
      const longestMs = Math.min(capMs, baseMs * 2 ** (attempt - 1))
      await sleep(random() * longestMs)
    }
  }
}
