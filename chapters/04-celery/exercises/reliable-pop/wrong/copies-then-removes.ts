// The checker says: One item is in 2 places after it was recovered.
/** Reads the list of the dead worker, and acts on what it has read. */
import type { Lists } from '../check.ts'

export const waiting = 'waiting'
export const takenBy = (worker: string) => `taken by ${worker}`

export async function take(lists: Lists, worker: string): Promise<string | undefined> {
  return await lists.move(waiting, takenBy(worker))
}

export async function acknowledge(lists: Lists, worker: string, item: string): Promise<void> {
  await lists.remove(takenBy(worker), item)
}

export async function recover(lists: Lists, dead: string): Promise<void> {
  for (const item of await lists.items(takenBy(dead))) {
    await lists.push(waiting, item)
    await lists.remove(takenBy(dead), item)
  }
}
