// The checker says: handle returns without having done the work.
/** What a worker does with a message of a queue that delivers at least once. */
import type { Delivery, HandleOptions } from './check.ts'

/**
 * Does the work for a message, and deletes the message when it is done.
 *
 * @throws what the work throws; then the message is not deleted
 */
export async function handle(_message: Delivery, _options: HandleOptions): Promise<void> {
  // Your code: how does the message stay hidden while the work goes on?
}
