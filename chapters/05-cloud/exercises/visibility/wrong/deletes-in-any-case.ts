// The checker says: The message is deleted although its work has failed.
/** Deletes the message in the `finally`, together with the end of the requests for more time. */
import type { Delivery, HandleOptions } from '../check.ts'

export async function handle(message: Delivery, { queue, visibilityMs, work, sleep }: HandleOptions): Promise<void> {
  const done = new AbortController()
  async function keepHidden() {
    for (;;) {
      await sleep(visibilityMs / 3, { signal: done.signal })
      await queue.extend(message, visibilityMs)
    }
  }
  const keeping = keepHidden().catch(() => {})
  try {
    await work(message.body)
  } finally {
    done.abort()
    await keeping
    await queue.remove(message)
  }
}
