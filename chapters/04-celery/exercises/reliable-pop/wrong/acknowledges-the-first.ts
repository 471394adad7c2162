// The checker says: Acknowledging an item removes another one, which nobody has handled.
/** Believes that items are handled in the order in which they were taken. */
import type { Lists } from '../check.ts'

export const waiting = 'waiting'
export const takenBy = (worker: string) => `taken by ${worker}`

export async function take(lists: Lists, worker: string): Promise<string | undefined> {
  return await lists.move(waiting, takenBy(worker))
}

export async function acknowledge(lists: Lists, worker: string, _item: string): Promise<void> {
  await lists.pop(takenBy(worker))
}

export async function recover(lists: Lists, dead: string): Promise<void> {
  let moved: string | undefined
  do moved = await lists.move(takenBy(dead), waiting)
  while (moved !== undefined)
}
