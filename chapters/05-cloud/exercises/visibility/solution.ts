/** What a worker does with a message of a queue that delivers at least once. */
import type { Delivery, HandleOptions } from './check.ts'

/**
 * Does the work for a message, and deletes the message when it is done.
 *
 * @throws what the work throws; then the message is not deleted
 */
export async function handle(message: Delivery, { queue, visibilityMs, work, sleep }: HandleOptions): Promise<void> {
  const done = new AbortController()
  async function keepHidden() {
    for (;;) {
      // A third: one request may be late.
      await sleep(visibilityMs / 3, { signal: done.signal })
      await queue.extend(message, visibilityMs)
    }
  }
  // It ends when the work has ended, or when somebody else has the message. Neither concerns the work.
  const keeping = keepHidden().catch(() => {})
  try {
    await work(message.body)
  } finally {
    done.abort()
    await keeping
  }
  // Not in the finally: if the work has failed, the message has to come back.
  await queue.remove(message)
}
