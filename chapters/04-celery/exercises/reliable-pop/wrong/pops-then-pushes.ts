// The checker says: An item is lost: nobody has handled it, and it is in no list.
/** Takes an item out, and writes down afterwards who has it. */
import type { Lists } from '../check.ts'

export const waiting = 'waiting'
export const takenBy = (worker: string) => `taken by ${worker}`

export async function take(lists: Lists, worker: string): Promise<string | undefined> {
  const item = await lists.pop(waiting)
  if (item !== undefined) await lists.push(takenBy(worker), item)
  return item
}

export async function acknowledge(lists: Lists, worker: string, item: string): Promise<void> {
  await lists.remove(takenBy(worker), item)
}

export async function recover(lists: Lists, dead: string): Promise<void> {
  let moved: string | undefined
  do moved = await lists.move(takenBy(dead), waiting)
  while (moved !== undefined)
}
