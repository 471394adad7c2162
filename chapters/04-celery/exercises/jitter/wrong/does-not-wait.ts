// The checker says: It tries again before its sleep has ended: an await is missing.
/** Forgets to await the sleep. */
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
      void sleep(random() * Math.min(capMs, baseMs * 2 ** (attempt - 1)))
    }
  }
}
