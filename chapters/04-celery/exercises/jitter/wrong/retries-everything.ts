// The checker says: It goes on after an error that will not pass.
/** Does not ask which error it was. */
import type { RetryOptions } from '../check.ts'

export async function retry<Result>(
  run: () => Promise<Result>,
  { tries, baseMs, capMs, random, sleep }: RetryOptions,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (error) {
      if (attempt === tries) throw error
      await sleep(random() * Math.min(capMs, baseMs * 2 ** (attempt - 1)))
    }
  }
}
